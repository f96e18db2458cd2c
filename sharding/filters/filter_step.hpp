#pragma once
#include <string>

#include "sharding/filters/filter.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {

/// A filter that can be undone here, with its settings understood.
struct FilterStep {
  enum class Kind { kNothing, kShuffle, kFletcher32, kDeflate, kLzf, kLz4, kZstd, kBlosc, kBitshuffle };
  Kind kind = Kind::kNothing;
  std::size_t element_bytes = 1;  ///< of kShuffle
  BitshuffleSettings bitshuffle;
  std::size_t block_bytes =
      0;  ///< of a codec that goes block by block: at least so many raw bytes in each but the last

  /// Its result depends on the content, not on the size alone.
  bool compresses() const;
};

/// Sets `step` and returns "", or returns what needs libhdf5: "szip (4)".
std::string read_filter(const Filter& filter, FilterStep& step);

/// The most that `step` can have made of `bytes` bytes. Generous: a poor encoder is no reason to refuse a file.
std::size_t most_after(const FilterStep& step, std::size_t bytes);

/// Undoes `step`: the result stands in the front of `out`, whose size is the most that it may have, or is a part of
/// `in`. DataError.
Bytes undo(const FilterStep& step, Bytes in, MutableBytes out, DecodeScratch& scratch);

/// Whether undo() writes to `out`.
bool writes(const FilterStep& step);

const char* name_of(FilterStep::Kind kind);

}  // namespace entrain::sharding
