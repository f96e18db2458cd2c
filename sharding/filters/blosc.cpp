// Filter 32001: c-blosc 1 unpacks it. It takes most of the header at its word where an attacker wrote it, so that is
// checked first. Header: versions, flags, element size (a byte each), then u32 raw bytes, block bytes, stored bytes with
// the header; little-endian.
#include <blosc.h>

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {

// Its own codec, "blosclz", adds up the length of a match in 32 bits: after 8.4 million times 0xff it is negative, passes
// the check, and memory is overwritten without end (c-blosc 1.21.3). Such a run fills one of the stretches looked at
// here, and is in nothing that this codec has compressed.
bool has_endless_match(Bytes in) {
  constexpr std::size_t kStride = std::size_t{4} << 20;
  for (std::size_t at = 0; at + kStride < in.size(); at += kStride) {
    const auto stretch = in.subspan(at, kStride + 1);
    if (std::all_of(stretch.begin(), stretch.end(), [](std::byte b) { return b == std::byte{0xff}; }))
      return true;
  }
  return false;
}

}  // namespace

std::size_t undo_blosc(Bytes in, MutableBytes out) {
  if (in.size() < BLOSC_MIN_HEADER_LENGTH)
    throw DataError(
        cat("blosc: ", in.size(), " bytes are stored, the header alone has ", BLOSC_MIN_HEADER_LENGTH));
  const auto flags = std::to_integer<unsigned>(in[2]);
  const std::size_t raw = little_endian_u32(in.data() + 4), block = little_endian_u32(in.data() + 8),
                    stored = little_endian_u32(in.data() + 12);
  if (stored > in.size() || raw > out.size() || (raw > 0 && (block == 0 || block > raw)) ||
      in[3] == std::byte{0})
    throw DataError(cat("blosc: the header claims ", raw, " bytes in blocks of ", block, ", stored in ",
                        stored, "; wanted at most ", out.size(), ", and ", in.size(), " are stored"));
  in = in.first(stored);
  std::size_t validated = 0;
  if (blosc_cbuffer_validate(in.data(), in.size(), &validated) != 0 || validated != raw)
    throw DataError("blosc: the header is damaged");
  const bool blosclz = flags >> 5 == BLOSC_BLOSCLZ_FORMAT && (flags & BLOSC_MEMCPYED) == 0;
  const int written =
      blosclz && has_endless_match(in) ? -1 : blosc_decompress_ctx(in.data(), out.data(), out.size(), 1);
  if (written < 0 || static_cast<std::size_t>(written) != raw) {
    const char* codec = blosc_cbuffer_complib(in.data());
    throw DataError(cat("blosc: the ", stored, " stored bytes do not unpack to ", raw, " (codec ",
                        codec != nullptr ? codec : "unknown", ")"));
  }
  return raw;
}

}  // namespace entrain::sharding
