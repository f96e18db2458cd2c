#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace entrain::sharding {

/// Where one chunk lies.
struct StoredChunk {
  std::uint64_t address = 0;  ///< from the file's first byte
  std::uint32_t bytes = 0;    ///< as stored; never 0
  std::uint32_t mask = 0;     ///< bit i: filter i was skipped; all ones: the chunk lies raw
  bool operator==(const StoredChunk&) const = default;
};
static_assert(sizeof(StoredChunk) == 16, "lies in files as it is");
inline constexpr std::uint32_t kNoFilters = 0xffffffff;

/// A dataset cut into chunks of one shape. Positions number the chunks in row-major order; those at the far end of an
/// axis may reach beyond the dataset ("edge"), and are stored whole all the same.
class ChunkGrid {
 public:
  /// One entry per axis, none negative, chunks of at least 1. DataError where the chunks are too many to be numbered.
  ChunkGrid(std::vector<std::int64_t> dims, std::vector<std::int64_t> chunk);

  std::size_t rank() const { return dims_.size(); }
  std::size_t size() const { return size_; }  ///< how many chunks it takes to hold the whole dataset
  const std::vector<std::int64_t>& dims() const { return dims_; }
  const std::vector<std::int64_t>& chunk() const { return chunk_; }
  const std::vector<std::int64_t>& counts() const { return counts_; }  ///< chunks along each axis
  /// The first element of a chunk.
  std::vector<std::int64_t> first(std::size_t position) const;
  bool is_edge(std::size_t position) const;

 private:
  std::vector<std::int64_t> dims_, chunk_, counts_;
  std::size_t size_ = 1;
};

/// What was stored for each position of a grid. Copies share the entries. Any thread may read.
class ChunkTable {
 public:
  ChunkTable() = default;
  explicit ChunkTable(std::vector<StoredChunk> entries);
  /// Entries that lie in memory which `owner` keeps.
  ChunkTable(std::span<const StoredChunk> entries, std::shared_ptr<const void> owner);

  std::size_t size() const { return entries_.size(); }
  std::size_t num_stored() const { return num_stored_; }
  /// Nothing: the chunk was never written and holds the fill value.
  std::optional<StoredChunk> at(std::size_t position) const {
    const StoredChunk& chunk = entries_[position];
    return chunk.bytes ? std::optional(chunk) : std::nullopt;
  }
  /// bytes == 0: not stored.
  std::span<const StoredChunk> entries() const { return entries_; }

 private:
  std::span<const StoredChunk> entries_;
  std::shared_ptr<const void> owner_;
  std::size_t num_stored_ = 0;
};

}  // namespace entrain::sharding
