// Filter 32008. Blocks of elements, of each first bit 0 of byte 0 of all elements, then bit 1, ... With a codec there is
// a header, u64 bytes in all and u32 bytes of a block, and before each block u32 stored bytes; all big-endian. The last
// block is rounded down to a multiple of 8 elements; what is left follows as it is.
#include <lz4.h>
#include <zstd.h>

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {

constexpr std::size_t kHeaderBytes = 12;

// Transposes 8 x 8 bits in every byte of eight words: bit i of word k changes places with bit k of word i.
template <typename Word>
void transpose_bits(const std::byte* __restrict in, std::byte* __restrict out, std::size_t row_bytes,
                    std::size_t first, std::size_t last) {
  constexpr auto kMask4 = static_cast<Word>(0x0f0f0f0f0f0f0f0f),
                 kMask2 = static_cast<Word>(0x3333333333333333),
                 kMask1 = static_cast<Word>(0x5555555555555555);
  for (std::size_t at = first; at < last; at += sizeof(Word)) {
    Word w[8];
    for (std::size_t k = 0; k < 8; ++k) std::memcpy(&w[k], in + k * row_bytes + at, sizeof(Word));
    const auto swap = [&w](std::size_t a, std::size_t distance, Word mask) {
      const auto t = static_cast<Word>((w[a] >> distance ^ w[a + distance]) & mask);
      w[a + distance] = static_cast<Word>(w[a + distance] ^ t);
      w[a] = static_cast<Word>(w[a] ^ static_cast<Word>(t << distance));
    };
    for (std::size_t a : {0, 1, 2, 3}) swap(a, 4, kMask4);
    for (std::size_t a : {0, 1, 4, 5}) swap(a, 2, kMask2);
    for (std::size_t a : {0, 2, 4, 6}) swap(a, 1, kMask1);
    for (std::size_t k = 0; k < 8; ++k) std::memcpy(out + k * row_bytes + at, &w[k], sizeof(Word));
  }
}

// One block. After the bits of its byte b are transposed, row i holds byte b of elements i, 8 + i, 16 + i, ...: these
// rows interleave as those of a shuffle do, and so do the bytes of the elements afterwards.
void undo_block(Bytes in, MutableBytes out, std::size_t element_bytes, DecodeScratch& scratch) {
  const std::size_t plane_bytes = in.size() / element_bytes, row_bytes = plane_bytes / 8;
  const auto rows = scratch.buffer(DecodeScratch::kBlockRows, plane_bytes);
  const auto planes = element_bytes == 1 ? out : scratch.buffer(DecodeScratch::kBlockPlanes, in.size());
  const std::size_t whole = row_bytes / 8 * 8;
  for (std::size_t b = 0; b < element_bytes; ++b) {
    const std::byte* from = in.data() + b * plane_bytes;
    transpose_bits<std::uint64_t>(from, rows.data(), row_bytes, 0, whole);
    transpose_bits<std::uint8_t>(from, rows.data(), row_bytes, whole, row_bytes);
    undo_shuffle(rows, planes.subspan(b * plane_bytes, plane_bytes), 8);
  }
  if (element_bytes > 1) undo_shuffle(planes, out, element_bytes);
}

// The stored bytes of a block, unpacked.
class Blocks {
 public:
  Blocks(Bytes in, BitshuffleCodec codec, DecodeScratch& scratch)
      : left_(in), codec_(codec), scratch_(scratch) {}

  Bytes next(std::size_t raw) {
    if (codec_ == BitshuffleCodec::kNone) return take(raw);
    const std::size_t stored = big_endian_u32(take(4).data());
    const auto out = scratch_.buffer(DecodeScratch::kBlock, raw);
    if (unpack(take(stored), out) != raw)
      throw DataError(
          cat("bitshuffle: block ", block_, ": ", stored, " stored bytes do not unpack to ", raw));
    ++block_;
    return out;
  }
  Bytes take(std::size_t bytes) {
    if (bytes > left_.size())
      throw DataError(
          cat("bitshuffle: block ", block_, " claims ", bytes, " bytes, ", left_.size(), " are left"));
    const Bytes taken = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return taken;
  }

 private:
  std::size_t unpack(Bytes in, MutableBytes out) {
    if (codec_ == BitshuffleCodec::kZstd) return undo_zstd(in, out, scratch_);
    if (in.size() > LZ4_MAX_INPUT_SIZE || out.size() > LZ4_MAX_INPUT_SIZE) return 0;
    const int written =
        LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
                            static_cast<int>(in.size()), static_cast<int>(out.size()));
    return written < 0 ? 0 : static_cast<std::size_t>(written);
  }

  Bytes left_;
  BitshuffleCodec codec_;
  DecodeScratch& scratch_;
  std::size_t block_ = 0;
};

}  // namespace

std::size_t default_bitshuffle_block(std::size_t element_bytes) {
  return std::max<std::size_t>(128, 8192 / element_bytes / 8 * 8);
}

std::size_t undo_bitshuffle(Bytes in, MutableBytes out, const BitshuffleSettings& settings,
                            DecodeScratch& scratch) {
  const std::size_t element = settings.element_bytes;
  std::size_t total = in.size(), block = settings.block_elements;
  if (settings.codec != BitshuffleCodec::kNone) {
    if (in.size() < kHeaderBytes)
      throw DataError(
          cat("bitshuffle: ", in.size(), " bytes are stored, the header alone has ", kHeaderBytes));
    total = big_endian_u64(in.data());
    block = big_endian_u32(in.data() + 8) / element;
    if (block == 0) block = default_bitshuffle_block(element);
    in = in.subspan(kHeaderBytes);
  }
  if (total > out.size() || total % element != 0 || block % 8 != 0)
    throw DataError(cat("bitshuffle: ", total, " bytes in blocks of ", block, " elements of ", element,
                        " are claimed; wanted at most ", out.size(),
                        ", whole elements, blocks of a multiple of 8"));
  Blocks blocks(in, settings.codec, scratch);
  std::size_t to = 0;
  for (std::size_t left = total / element; left >= 8;) {
    const std::size_t elements = std::min(block, left / 8 * 8), bytes = elements * element;
    undo_block(blocks.next(bytes), out.subspan(to, bytes), element, scratch);
    to += bytes;
    left -= elements;
  }
  const Bytes rest = blocks.take(total - to);
  std::copy(rest.begin(), rest.end(), out.begin() + static_cast<std::ptrdiff_t>(to));
  return total;
}

}  // namespace entrain::sharding
