#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::sharding {

/// Where slabs, rows that are decoded together, end: in numbers of samples, as SlabSettings has them. Empty where every
/// slab is one row.
///   rows           row of each sample, over all files
///   first_rows     of each file, and behind it the end of the last one
///   rows_per_slab  of each file, or one number for all of them
/// Slabs are to weigh the same: in a file whose own are smaller than those of another, as many are taken together as
/// fit into the largest. DataError where the numbers are not of these files.
std::vector<std::int64_t> slab_ends(std::span<const std::int64_t> rows,
                                    std::span<const std::int64_t> first_rows,
                                    std::span<const std::int64_t> rows_per_slab);

}  // namespace entrain::sharding
