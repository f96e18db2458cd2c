#include <zstd.h>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {

std::size_t undo_zstd(Bytes in, MutableBytes out, DecodeScratch& scratch) {
  // libzstd would also unpack its formats of before 2016, by code that is hardly looked after, and any number of frames.
  if (in.size() < 4 || little_endian_u32(in.data()) != ZSTD_MAGICNUMBER)
    throw DataError(cat("zstd: the ", in.size(), " stored bytes do not begin as a zstd frame does"));
  const std::size_t frame = ZSTD_findFrameCompressedSize(in.data(), in.size());
  if (ZSTD_isError(frame))
    throw DataError(cat("zstd: no whole frame in ", in.size(), " stored bytes: ", ZSTD_getErrorName(frame)));
  const std::size_t written = ZSTD_decompressDCtx(scratch.zstd(), out.data(), out.size(), in.data(), frame);
  if (ZSTD_isError(written))
    throw DataError(cat("zstd: ", frame, " stored bytes do not unpack to at most ", out.size(), ": ",
                        ZSTD_getErrorName(written)));
  return written;
}

}  // namespace entrain::sharding
