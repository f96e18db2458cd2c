// Filter 32004. u64 bytes in all, u32 bytes of a block, then for each block u32 stored bytes and that many bytes; all
// big-endian. A block that is stored in as many bytes as it holds is not compressed. The last one may be shorter.
#include <lz4.h>

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {
constexpr std::size_t kHeaderBytes = 12;
}

std::size_t undo_lz4(Bytes in, MutableBytes out) {
  if (in.size() < kHeaderBytes)
    throw DataError(cat("lz4: ", in.size(), " bytes are stored, the header alone has ", kHeaderBytes));
  const std::uint64_t total = big_endian_u64(in.data());
  const std::size_t block_bytes = big_endian_u32(in.data() + 8);
  if (total > out.size())
    throw DataError(cat("lz4: the header claims ", total, " bytes, at most ", out.size(), " are expected"));
  if (total > 0 && (block_bytes == 0 || std::min<std::size_t>(block_bytes, total) > LZ4_MAX_INPUT_SIZE))
    throw DataError(cat("lz4: the header claims blocks of ", block_bytes, " bytes"));
  Bytes left = in.subspan(kHeaderBytes);
  for (std::size_t to = 0, block = 0; to < total; ++block) {
    const std::size_t raw = std::min<std::size_t>(block_bytes, total - to);
    if (left.size() < 4) throw DataError(cat("lz4: cut short before block ", block));
    const std::size_t stored = big_endian_u32(left.data());
    left = left.subspan(4);
    if (stored > left.size())
      throw DataError(cat("lz4: block ", block, " claims ", stored, " bytes, ", left.size(), " are left"));
    if (stored == raw) {
      std::memcpy(out.data() + to, left.data(), raw);
    } else if (stored > LZ4_MAX_INPUT_SIZE ||
               LZ4_decompress_safe(reinterpret_cast<const char*>(left.data()),
                                   reinterpret_cast<char*>(out.data() + to), static_cast<int>(stored),
                                   static_cast<int>(raw)) != static_cast<int>(raw)) {
      throw DataError(cat("lz4: block ", block, ": ", stored, " stored bytes do not unpack to ", raw));
    }
    left = left.subspan(stored);
    to += raw;
  }
  return total;
}

}  // namespace entrain::sharding
