#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::sharding {

/// The samples whose groups are in S_{p,k}, the share p of draw k, ascending: the nested, stratified, seeded
/// draw of a fraction p of the groups in repeat k.
///   group_hashes, labels   one per sample; samples with label < 0 take no part
///   fraction               p in [0, 1]; 0 gives none; anything else at least one group of every class that
///   occurs
/// A larger fraction's draw holds a smaller one's; ranks and the order of rows do not enter. The shortest
/// prefix of the drawn order that holds every class may be longer than p asks for. ConfigError for p outside
/// [0, 1].
std::vector<std::int64_t> draw_fraction(std::span<const std::uint64_t> group_hashes,
                                        std::span<const std::int64_t> labels, double fraction,
                                        std::uint64_t seed, std::uint32_t repeat);

/// All groups in the order in which draw_fraction() takes them.
std::vector<std::uint64_t> order_groups(std::span<const std::uint64_t> group_hashes,
                                        std::span<const std::int64_t> labels, std::uint64_t seed,
                                        std::uint32_t repeat);

}  // namespace entrain::sharding
