#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace entrain::sharding {

/// Percentages of groups for train, val and test; they sum to 100.
using SplitShares = std::array<double, 3>;
inline constexpr std::array<const char*, 3> kSplitNames = {"train", "val", "test"};

/// "70/10/20". ConfigError for anything else than three numbers that sum to 100.
SplitShares parse_shares(const std::string& text);

/// Sets of groups that must stay in one split, because they share an image. Union-find over names.
class GroupUnions {
 public:
  void join(const std::string& a, const std::string& b);
  /// The name that stands for the group's set: the smallest of it, so that the order of joining does not matter.
  std::string of(const std::string& group) const;
  std::size_t size() const { return parent_.size(); }

 private:
  std::map<std::string, std::string> parent_;
};

/// The split of a set of groups: a keyed draw of (seed, hash of its name) against the shares. A pure function of
/// the name: adding data never moves a group. Classes are balanced in expectation, not exactly; exact strata would
/// have to move groups when data are added, so the realised table is printed.
const char* split_of(const std::string& group_set, const SplitShares& shares, std::uint64_t seed);

}  // namespace entrain::sharding
