#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sharding/hdf5_storage.hpp"

namespace entrain::sharding {

/// Copies a raw chunk, whose first element is `first`, to its places in a slab of `rows` rows: what of it lies within the
/// dataset. `slab` holds whole rows, one after the other.
void scatter_chunk(const StorageDescription& storage, const std::vector<std::int64_t>& first,
                   std::int64_t rows, std::span<const std::byte> raw, std::span<std::byte> slab);

}  // namespace entrain::sharding
