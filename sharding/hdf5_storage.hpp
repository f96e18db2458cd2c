#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sharding/chunks/chunk_table.hpp"
#include "sharding/filters/filter.hpp"
#include "sharding/hdf5_file.hpp"

namespace entrain::sharding {

/// How the bytes of one dataset are stored: what is needed to read them without libhdf5.
struct StorageDescription {
  enum class Layout { kContiguous, kCompact, kChunked, kVirtual, kExternal };

  std::string
      file;  ///< where the bytes lie: not the file that was opened behind a link, or where data are external
  std::vector<std::int64_t> dims;
  std::vector<std::int64_t> chunk;  ///< empty unless chunked
  StoredKind kind = StoredKind::kOther;
  std::size_t element_bytes = 0;
  bool big_endian = false;
  std::string type_name;  ///< as in DatasetInfo
  std::vector<Filter> filters;
  bool raw_edge_chunks = false;  ///< filters are not applied to chunks that reach beyond the dataset
  std::vector<std::byte> fill;   ///< one element, as it would lie in the file
  Layout layout = Layout::kContiguous;
  std::optional<std::uint64_t>
      offset;  ///< contiguous, external: from the first byte of `file`; none: never written
  std::vector<std::byte> compact;   ///< compact: all there is
  std::uint64_t object_header = 0;  ///< without the user block
  std::string needs_library;        ///< why libhdf5 must read it; empty: it need not

  std::uint64_t raw_bytes() const;    ///< of all elements
  std::uint64_t chunk_bytes() const;  ///< of a whole chunk, raw
};

/// One dataset behind libhdf5: what it says about the storage, and answers to check our own reading against. Any thread
/// may call; libhdf5's lock is taken inside. Failures are DataErrors that name file and dataset.
class StoredDataset {
 public:
  StoredDataset(const std::string& path, const std::string& dataset);
  ~StoredDataset();

  const StorageDescription& storage() const { return storage_; }
  /// Elements [first, first + count) as the file's type has them; false where libhdf5 cannot (a filter that it lacks,
  /// damaged bytes).
  bool read(std::span<const std::int64_t> first, std::span<const std::int64_t> count,
            std::span<std::byte> out) const;
  /// The bytes of a chunk as they lie in the file, and its mask; nothing where libhdf5 cannot.
  std::optional<std::pair<std::vector<std::byte>, std::uint32_t>> stored_chunk(
      std::span<const std::int64_t> first) const;
  /// Whether libhdf5 has all filters of this dataset itself.
  bool has_filters() const;

  std::size_t num_chunks() const;
  /// Whether each_chunk() takes time in proportion to the chunks; else to their square (H5Dchunk_iter is not there).
  static bool lists_chunks_fast();
  /// All chunks in libhdf5's order. Addresses of some versions lack the user block.
  void each_chunk(
      const std::function<void(std::span<const std::int64_t> first, const StoredChunk&)>& use) const;

 private:
  struct Handles;
  std::string where_;
  std::unique_ptr<Handles> handles_;
  StorageDescription storage_;
};

}  // namespace entrain::sharding
