#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sharding/filters/decode_scratch.hpp"
#include "sharding/filters/filter.hpp"
#include "sharding/filters/filter_step.hpp"

namespace entrain::sharding {

/// Undoes the filters of one dataset's chunks.
class FilterPipeline {
 public:
  /// `filters` in the order in which they were applied; chunk_bytes: of a whole chunk, raw. What a file may say wrongly
  /// is in needs_library(), not thrown.
  FilterPipeline(const std::vector<Filter>& filters, std::size_t chunk_bytes);

  /// Empty: all filters can be undone here. Else why not, "szip (4)": then nothing else may be called.
  const std::string& needs_library() const { return needs_library_; }

  /// The most that a chunk can be stored in; an index that claims more is wrong.
  std::size_t most_stored_bytes() const { return most_stored_bytes_; }

  /// Writes exactly chunk_bytes to `raw`, which has that many and shares none with `stored`. Bit i of `mask` set: filter
  /// i was skipped for this chunk. Any thread. Once `scratch` has grown nothing is allocated (but by Blosc's library).
  /// DataError "deflate: ..." without a place: the caller knows file, dataset and chunk.
  void decode(std::span<const std::byte> stored, std::uint32_t mask, std::span<std::byte> raw,
              DecodeScratch& scratch) const;

 private:
  std::vector<FilterStep> steps_;
  std::size_t chunk_bytes_;
  std::size_t most_stored_bytes_ = 0;
  std::string needs_library_;
};

}  // namespace entrain::sharding
