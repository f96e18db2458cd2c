#pragma once
#include <cstdint>
#include <vector>

#include "sharding/chunks/chunk_table.hpp"
#include "sharding/chunks/file_view.hpp"

// After the HDF5 file format specification, version 3.0, section III.A.1 (nodes of type 1). No libhdf5.
namespace entrain::sharding {

/// In how many bytes a chunk may be stored.
struct StoredSizes {
  std::uint64_t least = 1, most = 0;  ///< equal where there are no filters
};

/// The index of a chunked dataset with layout of version 3: 28 to 60 ns a chunk. Every fault of a damaged or hostile
/// tree is a DataError that says where it is: circles, levels that do not fall, chunks beyond the file's end, off the
/// grid, stored twice, or of a size that the filters cannot have made. Takes time and memory in proportion to the file.
class ChunkTree {
 public:
  /// Finds the leaves. `root` is counted from the file's first byte, as in DataLayout; `base` is the superblock's.
  ChunkTree(const FileView& file, std::uint64_t base, std::uint64_t root, const ChunkGrid& grid);

  std::size_t num_chunks() const { return num_chunks_; }
  /// Reads the leaves. Needs 16 bytes for each position of the grid.
  ChunkTable table(const StoredSizes& sizes) const;

 private:
  struct Node {
    std::uint64_t at = 0;
    unsigned level = 0;
    std::size_t entries = 0;
  };
  Node read_node(std::uint64_t at) const;
  void find_leaves(std::uint64_t root);
  std::size_t entry_bytes() const { return 8 + 8 * (grid_.rank() + 1) + 8; }
  StoredChunk read_entry(const std::byte* entry, const StoredSizes& sizes, std::size_t& position) const;

  const FileView& file_;
  std::uint64_t base_;
  const ChunkGrid& grid_;
  std::vector<Node> leaves_;
  std::size_t num_chunks_ = 0;
};

}  // namespace entrain::sharding
