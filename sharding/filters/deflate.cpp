#include <libdeflate.h>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {

std::size_t undo_deflate(Bytes in, MutableBytes out, DecodeScratch& scratch) {
  std::size_t written = 0;
  switch (
      libdeflate_zlib_decompress(scratch.deflate(), in.data(), in.size(), out.data(), out.size(), &written)) {
    case LIBDEFLATE_SUCCESS:
      return written;
    case LIBDEFLATE_INSUFFICIENT_SPACE:
      throw DataError(cat("deflate: the ", in.size(), " stored bytes inflate to more than ", out.size()));
    default:
      throw DataError(
          cat("deflate: the ", in.size(),
              " stored bytes are damaged or cut short: no whole zlib stream with a right checksum"));
  }
}

}  // namespace entrain::sharding
