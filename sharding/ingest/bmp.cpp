#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/picture.hpp"

// BMP: 14 bytes of file header (u32 at 10: where the pixels begin), then the information header (u32 size, i32 width,
// i32 height, negative = top row first, u16 planes, u16 bits, u32 compression, ... u32 at 46: palette entries), a palette
// of blue-green-red-0, and rows padded to 4 bytes.
namespace entrain::sharding {
namespace {

class BmpFile {
 public:
  explicit BmpFile(std::span<const std::byte> file) : file_(file) {}
  std::uint32_t u8(std::int64_t at) const {
    if (at < 0 || at >= static_cast<std::int64_t>(file_.size())) throw DataError("BMP: ends too early");
    return std::to_integer<std::uint32_t>(file_[static_cast<std::size_t>(at)]);
  }
  std::uint32_t u16(std::int64_t at) const { return u8(at) | u8(at + 1) << 8; }
  std::uint32_t u32(std::int64_t at) const { return u16(at) | u16(at + 2) << 16; }
  std::int32_t i32(std::int64_t at) const { return static_cast<std::int32_t>(u32(at)); }

 private:
  std::span<const std::byte> file_;
};
}  // namespace

Picture decode_bmp(std::span<const std::byte> file) {
  const BmpFile f(file);
  const std::int64_t pixels = f.u32(10), header = f.u32(14), width = f.i32(18), signed_height = f.i32(22);
  const std::uint32_t bits = f.u16(28), compression = f.u32(30);
  const std::int64_t height = signed_height < 0 ? -signed_height : signed_height;
  if (header < 40) throw DataError(cat("BMP: an information header of ", header, " bytes is not supported"));
  if (compression != 0 && !(compression == 3 && bits == 32))
    throw DataError(cat("BMP: compression ", compression, " is not supported"));
  if (bits != 1 && bits != 4 && bits != 8 && bits != 24 && bits != 32)
    throw DataError(cat("BMP: ", bits, " bits are not supported"));
  check_picture_size(width, height);
  const std::int64_t line = (width * bits + 31) / 32 * 4, palette = 14 + header;
  Picture p{width, height, 3, 255, {}};
  p.values.reserve(static_cast<std::size_t>(3 * width * height));
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t row = pixels + line * (signed_height < 0 ? y : height - 1 - y);
    for (std::int64_t x = 0; x < width; ++x) {
      std::int64_t at = row + x * bits / 8;
      if (bits <= 8) {
        const std::uint32_t shift = 8 - bits - static_cast<std::uint32_t>(x * bits % 8);
        at = palette + 4 * static_cast<std::int64_t>(f.u8(at) >> shift & ((1U << bits) - 1));
        if (at + 3 > pixels) throw DataError("BMP: a pixel names a colour outside the palette");
      }
      for (int c = 2; c >= 0; --c) p.values.push_back(static_cast<std::uint16_t>(f.u8(at + c)));
    }
  }
  return p.is_grey() ? p.to_grey() : p;
}

}  // namespace entrain::sharding
