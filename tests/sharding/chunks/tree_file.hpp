#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "sharding/chunks/btree_v1.hpp"
#include "sharding/chunks/object_header.hpp"

namespace entrain::tests {

/// A chunked dataset's superblock, object header and chunk tree in memory, written after the format specification and
/// not by libhdf5, so that it can be wrong in any way.
class TreeFile {
 public:
  struct Entry {
    std::vector<std::uint64_t> first;
    std::uint32_t bytes = 0, mask = 0;
    std::uint64_t child = 0;
  };
  struct Style {
    unsigned superblock = 0, header = 1;
    std::uint64_t user_block = 0;
    bool continued = false;     ///< the layout lies in a second block of the header
    bool tracks_order = false;  ///< and times; version 2
  };

  TreeFile(std::vector<std::int64_t> dims, std::vector<std::int64_t> chunk, Style style);

  std::uint64_t here() const { return bytes.size() - base; }
  std::uint64_t node(unsigned level, const std::vector<Entry>& entries);
  /// Stores a chunk's bytes.
  Entry chunk(std::vector<std::uint64_t> first, std::uint32_t stored_bytes);
  /// Writes the header, of a dataset whose tree begins there.
  void finish(std::uint64_t root);

  template <typename T>
  void put(std::uint64_t at, T value) {  ///< at: relative to the base
    std::memcpy(&bytes[base + at], &value, sizeof value);
  }
  template <typename T>
  void add(T value) {
    const auto* start = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), start, start + sizeof value);
  }
  void text(std::string_view letters) {
    for (const char c : letters) add(c);
  }

  /// What the library code makes of it; DataErrors pass.
  sharding::ChunkTable table(std::uint64_t most = 100, std::uint64_t least = 1) const;

  std::vector<std::byte> bytes;
  std::uint64_t base = 0, header = 0;
  sharding::ChunkGrid grid;

 private:
  std::vector<std::byte> layout_message(std::uint64_t root) const;
  void message(unsigned type, const std::vector<std::byte>& data);
  Style style_;
};

/// 3 x 2 chunks of 2 x 4 one-byte elements, dims 6 x 7, one level above the leaves.
TreeFile small_tree(TreeFile::Style style = {});

}  // namespace entrain::tests
