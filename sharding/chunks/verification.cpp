#include "sharding/chunks/verification.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/chunks/data_file.hpp"
#include "sharding/chunks/fill_value.hpp"

namespace entrain::sharding {
namespace {
using Shape = std::vector<std::int64_t>;
constexpr int kRandomChunks = 8;
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20, kMostContiguousBytes = std::uint64_t{64} << 10;

std::string place(const Shape& first) {
  std::string text;
  for (const auto at : first) text += cat(text.empty() ? "" : ", ", at);
  return cat('(', text, ')');
}

std::size_t num_elements(const Shape& shape) {
  std::size_t count = 1;
  for (const auto n : shape) count *= static_cast<std::size_t>(n);
  return count;
}

// The first `count` elements along each axis of a chunk, packed.
std::vector<std::byte> corner(std::span<const std::byte> raw, const Shape& chunk, const Shape& count,
                              std::size_t element_bytes) {
  std::vector<std::byte> out(num_elements(count) * element_bytes);
  const std::size_t run = static_cast<std::size_t>(count.back()) * element_bytes;
  Shape at(chunk.size(), 0);
  for (std::size_t written = 0; written < out.size(); written += run) {
    std::size_t element = 0;
    for (std::size_t axis = 0; axis < chunk.size(); ++axis)
      element = element * static_cast<std::size_t>(chunk[axis]) + static_cast<std::size_t>(at[axis]);
    std::memcpy(&out[written], &raw[element * element_bytes], run);
    for (std::size_t axis = chunk.size() - 1; axis-- > 0;) {
      if (++at[axis] < count[axis]) break;
      at[axis] = 0;
    }
  }
  return out;
}

/// Compares single chunks.
class Comparison {
 public:
  Comparison(const StoredDataset& dataset, const ChunkGrid& grid, const ChunkTable& chunks,
             const FilterPipeline& filters)
      : dataset_(dataset), grid_(grid), chunks_(chunks), filters_(filters), file_(dataset.storage().file) {
    raw_.resize(dataset.storage().chunk_bytes());
  }

  /// What differs; nothing where it is equal. Counts what could be compared.
  std::string compare(std::size_t position) {
    const Shape first = grid_.first(position);
    const auto chunk = chunks_.at(position);
    try {
      const bool equal =
          chunk && !dataset_.has_filters() ? equal_stored(first, *chunk) : equal_elements(first, chunk);
      return equal ? "" : cat("the chunk at element ", place(first), " has other values");
    } catch (const DataError& e) {
      return cat("the chunk at element ", place(first), " cannot be read: ", e.what());
    }
  }
  std::size_t num_elementwise = 0, num_stored = 0;

 private:
  bool equal_elements(const Shape& first, const std::optional<StoredChunk>& chunk) {
    const StorageDescription& s = dataset_.storage();
    Shape count = s.chunk;
    for (std::size_t axis = 0; axis < count.size(); ++axis)
      count[axis] = std::min(count[axis], s.dims[axis] - first[axis]);
    std::vector<std::byte> theirs(num_elements(count) * s.element_bytes);
    if (!dataset_.read(first, count, theirs)) return true;  // damaged: for the reader to find, row by row
    if (chunk) {
      stored_.resize(chunk->bytes);
      file_.read(chunk->address, stored_);
      filters_.decode(stored_, chunk->mask, raw_, scratch_);
    } else {
      fill_with(s.fill, raw_);
    }
    ++num_elementwise;
    return corner(raw_, s.chunk, count, s.element_bytes) == theirs;
  }

  bool equal_stored(const Shape& first, const StoredChunk& chunk) {
    const auto theirs = dataset_.stored_chunk(first);
    if (!theirs) return true;
    stored_.resize(chunk.bytes);
    file_.read(chunk.address, stored_);
    ++num_stored;
    return stored_ == theirs->first && (chunk.mask == theirs->second || chunk.mask == kNoFilters);
  }

  const StoredDataset& dataset_;
  const ChunkGrid& grid_;
  const ChunkTable& chunks_;
  const FilterPipeline& filters_;
  DataFile file_;
  DecodeScratch scratch_;
  std::vector<std::byte> stored_, raw_;
};

// The telling ones first, without repetition.
std::vector<std::size_t> chosen(const ChunkGrid& grid, const ChunkTable& chunks) {
  const auto entries = chunks.entries();
  const auto is_stored = [](const StoredChunk& c) { return c.bytes != 0; };
  std::vector<std::size_t> wanted;
  if (const auto at = std::find_if(entries.begin(), entries.end(), is_stored); at != entries.end()) {
    wanted.push_back(static_cast<std::size_t>(at - entries.begin()));
    const auto last = std::find_if(entries.rbegin(), entries.rend(), is_stored);
    wanted.push_back(static_cast<std::size_t>(entries.rend() - last) - 1);
  }
  std::mt19937_64 random(grid.size());
  for (int i = 0; i < kRandomChunks; ++i) wanted.push_back(random() % grid.size());
  for (std::size_t back = 1, edges = 0; back <= std::min<std::size_t>(grid.size(), 1000) && edges == 0;
       ++back)
    if (const std::size_t position = grid.size() - back;
        is_stored(entries[position]) && grid.is_edge(position))
      wanted.insert(wanted.begin(), position), ++edges;
  if (const auto hole = std::find_if_not(entries.begin(), entries.end(), is_stored); hole != entries.end())
    wanted.push_back(static_cast<std::size_t>(hole - entries.begin()));
  std::set<std::size_t> seen;
  std::erase_if(wanted, [&](std::size_t position) { return !seen.insert(position).second; });
  return wanted;
}
}  // namespace

Verification verify_chunks(const StoredDataset& dataset, const ChunkGrid& grid, const ChunkTable& chunks,
                           const FilterPipeline& filters) {
  if (grid.size() == 0) return {"", "no elements"};
  Comparison comparison(dataset, grid, chunks, filters);
  std::uint64_t bytes = 0;
  for (const std::size_t position : chosen(grid, chunks)) {
    if (const auto mismatch = comparison.compare(position); !mismatch.empty())
      return {cat("libhdf5 reads something else: ", mismatch), ""};
    if ((bytes += dataset.storage().chunk_bytes()) > kMostBytes) break;
  }
  if (comparison.num_elementwise + comparison.num_stored == 0)
    return {"no chunk could be compared with what libhdf5 reads", ""};
  return {"",
          cat(comparison.num_elementwise, " chunks equal to what libhdf5 reads",
              comparison.num_stored ? cat(", ", comparison.num_stored, " as stored (libhdf5 lacks a filter)")
                                    : "")};
}

Verification verify_contiguous(const StoredDataset& dataset) {
  const StorageDescription& s = dataset.storage();
  if (s.raw_bytes() == 0) return {"", "no elements"};
  Shape count(s.dims.size(), 1);
  std::uint64_t bytes = s.element_bytes;
  for (std::size_t axis = count.size();
       axis-- > 0 && bytes * static_cast<std::uint64_t>(s.dims[axis]) <= kMostContiguousBytes;)
    bytes *= static_cast<std::uint64_t>(count[axis] = s.dims[axis]);
  std::optional<DataFile> file;
  if (s.offset) file.emplace(s.file);
  std::vector<std::byte> ours(bytes), theirs(bytes);
  for (const int part : {0, 1, 2}) {  // of two
    Shape first;
    std::uint64_t element = 0;
    for (std::size_t axis = 0; axis < count.size(); ++axis) {
      first.push_back((s.dims[axis] - count[axis]) / 2 * part);
      if (part == 2) first.back() = s.dims[axis] - count[axis];
      element = element * static_cast<std::uint64_t>(s.dims[axis]) + static_cast<std::uint64_t>(first[axis]);
    }
    try {
      if (!dataset.read(first, count, theirs))
        return {cat("libhdf5 cannot read its element ", place(first)), ""};
      if (file)
        file->read(*s.offset + element * s.element_bytes, ours);
      else
        fill_with(s.fill, ours);
    } catch (const DataError& e) {
      return {e.what(), ""};
    }
    if (ours != theirs) return {cat("libhdf5 reads something else from element ", place(first), " on"), ""};
  }
  return {"", "beginning, middle and end equal to what libhdf5 reads"};
}

}  // namespace entrain::sharding
