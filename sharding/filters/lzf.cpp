// The format of h5py's filter (LibLZF). A control byte c < 32 is followed by c + 1 literals. Any other one says: copy
// (c >> 5) + 2 bytes from further back in the output; 7 means that the next byte is added to the length. The distance
// is ((c & 31) << 8) + the byte after that + 1.
#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {

// Where the distance is shorter than the length, what was just written is copied again.
void copy_back(std::byte* out, std::size_t distance, std::size_t length) {
  const std::byte* from = out - distance;
  if (distance >= length) {
    std::memcpy(out, from, length);
  } else {
    for (std::size_t i = 0; i < length; ++i) out[i] = from[i];
  }
}

}  // namespace

std::size_t undo_lzf(Bytes in, MutableBytes out) {
  std::size_t at = 0, to = 0;
  const auto want_input = [&](std::size_t bytes) {
    if (in.size() - at < bytes)
      throw DataError(cat("lzf: cut short: ", bytes, " bytes are wanted at ", at, " of ", in.size()));
  };
  const auto want_room = [&](std::size_t bytes) {
    if (out.size() - to < bytes)
      throw DataError(cat("lzf: the ", in.size(), " stored bytes unpack to more than ", out.size()));
  };
  const auto next = [&] { return std::to_integer<std::size_t>(in[at++]); };
  while (at < in.size()) {
    const std::size_t control = next();
    if (control < 32) {
      want_input(control + 1);
      want_room(control + 1);
      std::memcpy(out.data() + to, in.data() + at, control + 1);
      at += control + 1;
      to += control + 1;
      continue;
    }
    std::size_t length = control >> 5;
    want_input(length == 7 ? 2 : 1);
    if (length == 7) length += next();
    length += 2;
    const std::size_t distance = ((control & 31) << 8) + next() + 1;
    if (distance > to)
      throw DataError(cat("lzf: byte ", to, " is to be a copy of what stands ", distance, " before it"));
    want_room(length);
    copy_back(out.data() + to, distance, length);
    to += length;
  }
  return to;
}

}  // namespace entrain::sharding
