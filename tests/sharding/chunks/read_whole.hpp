#pragma once
#include <cstddef>
#include <vector>

#include "sharding/chunks/chunk_index.hpp"

namespace entrain::tests {

/// All elements of a dataset by its index alone, without libhdf5: slow and plain. Not for Way::kLibrary.
std::vector<std::byte> read_whole(const sharding::ChunkIndex& index);

}  // namespace entrain::tests
