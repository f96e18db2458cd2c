#include "sharding/chunks/row_reader.hpp"

#include <algorithm>
#include <cstring>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/chunks/fill_value.hpp"
#include "sharding/chunks/scatter.hpp"

namespace entrain::sharding {
namespace {

// Bytes of `per` that were used before; grown once.
std::span<std::byte> grown(std::vector<std::byte>& buffer, std::size_t bytes) {
  if (buffer.size() < bytes) buffer.resize(bytes);
  return std::span(buffer).first(bytes);
}

}  // namespace

RowReader::RowReader(ChunkIndex index) : index_(std::move(index)) {
  const StorageDescription& s = index_.storage();
  row_bytes_ = s.element_bytes;
  for (std::size_t axis = 1; axis < s.dims.size(); ++axis)
    row_bytes_ *= static_cast<std::size_t>(s.dims[axis]);
  if (index_.way() != ChunkIndex::Way::kChunked) return;
  filters_.emplace(s.filters, s.chunk_bytes());
  rows_per_slab_ = std::min(s.chunk[0], std::max<std::int64_t>(1, s.dims[0]));
  chunks_per_slab_ = index_.grid().size() / static_cast<std::size_t>(index_.grid().counts()[0]);
  whole_rows_ = std::equal(s.chunk.begin() + 1, s.chunk.end(), s.dims.begin() + 1);
}

std::int64_t RowReader::rows_of_slab(std::int64_t slab) const {
  return std::min(rows_per_slab_, num_rows() - slab * rows_per_slab_);
}

void RowReader::read(const DataFile& file, std::int64_t slab, std::span<std::byte> out,
                     ReadScratch& scratch) const {
  const StorageDescription& s = index_.storage();
  const std::uint64_t at = static_cast<std::uint64_t>(slab) * row_bytes_;  // where slabs are rows
  switch (index_.way()) {
    case ChunkIndex::Way::kContiguous:
      return s.offset ? file.read(*s.offset + at, out) : fill_with(s.fill, out);
    case ChunkIndex::Way::kCompact:
      std::memcpy(out.data(), s.compact.data() + at, out.size());
      return;
    case ChunkIndex::Way::kChunked:
      return read_chunked(file, slab, out, scratch);
    case ChunkIndex::Way::kLibrary:
      break;
  }
  throw std::logic_error("RowReader: this dataset is read through libhdf5");
}

void RowReader::read_chunked(const DataFile& file, std::int64_t slab, std::span<std::byte> out,
                             ReadScratch& scratch) const {
  const StorageDescription& s = index_.storage();
  const std::size_t first = static_cast<std::size_t>(slab) * chunks_per_slab_, chunk_bytes = s.chunk_bytes();
  if (whole_rows_ && out.size() == chunk_bytes) return decode(file, first, out, scratch);
  const std::span<std::byte> raw = grown(scratch.chunk, chunk_bytes);
  for (std::size_t i = 0; i < chunks_per_slab_; ++i) {
    decode(file, first + i, raw, scratch);
    if (whole_rows_)  // the last rows of a file
      std::memcpy(out.data(), raw.data(), out.size());
    else
      scatter_chunk(s, index_.grid().first(first + i), rows_of_slab(slab), raw, out);
  }
}

void RowReader::decode(const DataFile& file, std::size_t position, std::span<std::byte> raw,
                       ReadScratch& scratch) const {
  const auto chunk = index_.chunks().at(position);
  if (!chunk) return fill_with(index_.storage().fill, raw);
  try {
    if (index_.storage().filters.empty() || chunk->mask == kNoFilters) {
      if (chunk->bytes != raw.size())
        throw DataError(cat("it is stored in ", chunk->bytes, " bytes, want ", raw.size()));
      return file.read(chunk->address, raw);
    }
    const std::span<std::byte> stored = grown(scratch.stored, chunk->bytes);
    file.read(chunk->address, stored);
    filters_->decode(stored, chunk->mask, raw, scratch.decode);
  } catch (const DataError& e) {
    throw DataError(cat("the chunk at byte ", chunk->address, ": ", e.what()));
  }
}

}  // namespace entrain::sharding
