#pragma once
#include <optional>
#include <string>

#include "sharding/chunks/btree_v1.hpp"
#include "sharding/hdf5_storage.hpp"

namespace entrain::sharding {

/// The chunks of a dataset, or why they cannot be listed in reasonable time and memory.
struct ChunkList {
  std::optional<ChunkTable> chunks;
  std::string source;         ///< for people: "chunk tree", "list of libhdf5"
  std::string needs_library;  ///< where there are no chunks
};

/// Layout of version 3: from the tree in the file. Others: from libhdf5, where it lists chunks fast or there are few.
/// DataError, without the file's name, where the index is damaged.
ChunkList list_chunks(const StoredDataset& dataset, const ChunkGrid& grid, const StoredSizes& sizes);

}  // namespace entrain::sharding
