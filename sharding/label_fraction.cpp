#include "sharding/label_fraction.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"

// A stratum is the set of labels of a group; groups of sets that fewer than ten groups
// have are pooled by the size of the set. Inside a stratum groups are ordered by a keyed draw and spread
// evenly over [0, 1), with a random offset, so that small strata do not always come first; then all strata
// are merged.
namespace entrain::sharding {
namespace {
using LabelSet = std::set<std::int64_t>;
constexpr std::size_t kSmallStratum = 10;

std::map<std::uint64_t, LabelSet> label_sets(std::span<const std::uint64_t> groups,
                                             std::span<const std::int64_t> labels) {
  if (groups.size() != labels.size())
    throw std::logic_error(cat("label fraction: ", groups.size(), " groups for ", labels.size(), " labels"));
  std::map<std::uint64_t, LabelSet> sets;
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (labels[i] >= 0) sets[groups[i]].insert(labels[i]);
  return sets;
}

// A pooled stratum is marked by -1 - (size of the set), which no label is.
std::map<LabelSet, std::vector<std::uint64_t>> strata_of(const std::map<std::uint64_t, LabelSet>& sets) {
  std::map<LabelSet, std::vector<std::uint64_t>> strata, pooled;
  for (const auto& [group, set] : sets) strata[set].push_back(group);
  for (auto& [set, members] : strata) {
    const LabelSet pool = {-1 - static_cast<std::int64_t>(set.size())};
    auto& stratum = pooled[members.size() < kSmallStratum ? pool : set];
    stratum.insert(stratum.end(), members.begin(), members.end());
  }
  return pooled;
}

std::uint64_t hash_of(const LabelSet& set) {
  const std::vector<std::int64_t> labels(set.begin(), set.end());
  return XXH3_64bits(labels.data(), labels.size() * sizeof(labels[0]));
}

std::vector<std::uint64_t> order_of(const std::map<std::uint64_t, LabelSet>& sets, std::uint64_t seed,
                                    std::uint32_t repeat) {
  std::vector<std::pair<double, std::uint64_t>> order;  // (position, group)
  for (const auto& [set, members] : strata_of(sets)) {
    std::vector<std::pair<double, std::uint64_t>> drawn;
    for (const auto group : members)
      drawn.emplace_back(Draws(seed, Purpose::kLabelFraction, group, 0, repeat).uniform_double(), group);
    std::sort(drawn.begin(), drawn.end());
    const double offset = Draws(seed, Purpose::kStratum, hash_of(set), 0, repeat).uniform_double();
    for (std::size_t rank = 0; rank < drawn.size(); ++rank)
      order.emplace_back((static_cast<double>(rank) + offset) / static_cast<double>(drawn.size()),
                         drawn[rank].second);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::uint64_t> groups;
  for (const auto& [position, group] : order) groups.push_back(group);
  return groups;
}

std::size_t shortest_with_every_class(const std::vector<std::uint64_t>& order,
                                      const std::map<std::uint64_t, LabelSet>& sets) {
  LabelSet missing;
  for (const auto& [group, set] : sets) missing.insert(set.begin(), set.end());
  std::size_t length = 0;
  for (; !missing.empty(); ++length)
    for (const auto label : sets.at(order[length])) missing.erase(label);
  return length;
}
}  // namespace

std::vector<std::uint64_t> order_groups(std::span<const std::uint64_t> group_hashes,
                                        std::span<const std::int64_t> labels, std::uint64_t seed,
                                        std::uint32_t repeat) {
  return order_of(label_sets(group_hashes, labels), seed, repeat);
}

std::vector<std::int64_t> draw_fraction(std::span<const std::uint64_t> group_hashes,
                                        std::span<const std::int64_t> labels, double fraction,
                                        std::uint64_t seed, std::uint32_t repeat) {
  if (!(fraction >= 0 && fraction <= 1))
    throw ConfigError(cat("label fraction: want 0 to 1, got ", fraction));
  if (fraction == 0) return {};
  const auto sets = label_sets(group_hashes, labels);
  const auto order = order_of(sets, seed, repeat);
  // 0.07 * 100 is 7.000000000000001 in binary; that must not ask for an eighth group.
  const auto asked = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(order.size()) - 1e-9));
  const std::size_t taken = std::max(asked, shortest_with_every_class(order, sets));
  const std::unordered_set<std::uint64_t> drawn(order.begin(),
                                                order.begin() + static_cast<std::ptrdiff_t>(taken));
  std::vector<std::int64_t> samples;
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0 && drawn.contains(group_hashes[i])) samples.push_back(static_cast<std::int64_t>(i));
  return samples;
}

}  // namespace entrain::sharding
