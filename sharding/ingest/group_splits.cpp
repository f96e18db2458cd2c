#include "sharding/ingest/group_splits.hpp"

#include <xxhash.h>

#include <cmath>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"

namespace entrain::sharding {

SplitShares parse_shares(const std::string& text) {
  std::istringstream in(text);
  SplitShares shares{};
  char first = 0, second = 0;
  in >> shares[0] >> first >> shares[1] >> second >> shares[2];
  const bool numbers =
      in && in.peek() == std::istringstream::traits_type::eof() && first == '/' && second == '/';
  if (!numbers || shares[0] <= 0 || shares[1] < 0 || shares[2] < 0 ||
      std::abs(shares[0] + shares[1] + shares[2] - 100) > 1e-6)
    throw ConfigError(
        cat("--make-split: want percentages of train/val/test that sum to 100, such as 70/10/20, got \"",
            text, "\""));
  return shares;
}

void GroupUnions::join(const std::string& a, const std::string& b) {
  const std::string x = of(a), y = of(b);
  if (x == y) return;
  parent_.emplace(x, x);
  parent_.emplace(y, y);
  parent_[std::max(x, y)] = std::min(x, y);
}

std::string GroupUnions::of(const std::string& group) const {
  std::string name = group;
  for (auto at = parent_.find(name); at != parent_.end() && at->second != name; at = parent_.find(name))
    name = at->second;
  return name;
}

const char* split_of(const std::string& group_set, const SplitShares& shares, std::uint64_t seed) {
  const double u =
      100 * Draws(seed, Purpose::kSplit, XXH3_64bits(group_set.data(), group_set.size())).uniform_double();
  return u < shares[0] ? kSplitNames[0] : u < shares[0] + shares[1] ? kSplitNames[1] : kSplitNames[2];
}

}  // namespace entrain::sharding
