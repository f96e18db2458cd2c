#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "sharding/filters/decode_scratch.hpp"

/// One function per filter, for FilterPipeline. They trust nothing in `in`, never write beyond `out`, and throw
/// DataError with a sentence that begins with the filter's name. Bytes after the end of a stream are ignored, as
/// libhdf5's filters do.
namespace entrain::sharding {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// Each writes the front of `out`, which is as large as the result may be, and returns how many bytes it wrote.
std::size_t undo_deflate(Bytes in, MutableBytes out, DecodeScratch& scratch);
std::size_t undo_lzf(Bytes in, MutableBytes out);
std::size_t undo_lz4(Bytes in, MutableBytes out);
std::size_t undo_zstd(Bytes in, MutableBytes out, DecodeScratch& scratch);
std::size_t undo_blosc(Bytes in, MutableBytes out);

enum class BitshuffleCodec : std::uint32_t { kNone = 0, kLz4 = 2, kZstd = 3 };
struct BitshuffleSettings {
  std::size_t element_bytes = 1;
  std::size_t block_elements = 8;  ///< where no header says otherwise
  BitshuffleCodec codec = BitshuffleCodec::kNone;
};
/// In elements, where neither the file's settings nor a header say it.
std::size_t default_bitshuffle_block(std::size_t element_bytes);
std::size_t undo_bitshuffle(Bytes in, MutableBytes out, const BitshuffleSettings& settings,
                            DecodeScratch& scratch);

/// `out` as long as `in`; element_bytes > 0.
void undo_shuffle(Bytes in, MutableBytes out, std::size_t element_bytes);

/// `in` without its checksum, which is right.
Bytes without_fletcher32(Bytes in);

/// Of the bytes at `at`, which are there.
inline std::uint32_t big_endian_u32(const std::byte* at) {
  std::uint32_t v = 0;
  for (int i = 0; i < 4; ++i) v = v << 8 | std::to_integer<std::uint32_t>(at[i]);
  return v;
}
inline std::uint64_t big_endian_u64(const std::byte* at) {
  return std::uint64_t{big_endian_u32(at)} << 32 | big_endian_u32(at + 4);
}
inline std::uint32_t little_endian_u32(const std::byte* at) { return __builtin_bswap32(big_endian_u32(at)); }

}  // namespace entrain::sharding
