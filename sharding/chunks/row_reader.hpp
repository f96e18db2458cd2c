#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sharding/chunks/chunk_index.hpp"
#include "sharding/chunks/data_file.hpp"
#include "sharding/filters/filter_pipeline.hpp"

namespace entrain::sharding {

/// Memory of one reading thread; it only grows.
struct ReadScratch {
  DecodeScratch decode;
  std::vector<std::byte> stored, chunk;
};

/// The rows of one dataset (elements with one index along the first axis), as the file's type has them, read without
/// libhdf5 and without a lock. Rows that share chunks are a slab: they are decoded together. Never changed; any thread
/// may use it. It keeps no file open.
class RowReader {
 public:
  /// Of an index whose way is not kLibrary.
  explicit RowReader(ChunkIndex index);

  const ChunkIndex& index() const { return index_; }
  const std::string& file() const { return index_.storage().file; }
  std::int64_t num_rows() const { return index_.storage().dims[0]; }
  std::size_t row_bytes() const { return row_bytes_; }
  /// 1: each row can be read by itself. Slab s holds rows [s * n, (s + 1) * n) as far as there are.
  std::int64_t rows_per_slab() const { return rows_per_slab_; }
  std::int64_t rows_of_slab(std::int64_t slab) const;

  /// Reads slab `slab` of `file`, its rows one after the other. `out` holds them all. DataError without a place.
  void read(const DataFile& file, std::int64_t slab, std::span<std::byte> out, ReadScratch& scratch) const;

 private:
  void read_chunked(const DataFile& file, std::int64_t slab, std::span<std::byte> out,
                    ReadScratch& scratch) const;
  void decode(const DataFile& file, std::size_t position, std::span<std::byte> raw,
              ReadScratch& scratch) const;

  ChunkIndex index_;
  std::optional<FilterPipeline> filters_;
  std::size_t row_bytes_ = 0, chunks_per_slab_ = 1;
  std::int64_t rows_per_slab_ = 1;
  bool whole_rows_ = false;  // one chunk is one slab, row after row
};

}  // namespace entrain::sharding
