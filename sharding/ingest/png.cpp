#include <png.h>

#include <csetjmp>
#include <cstring>
#include <string>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/picture.hpp"

namespace entrain::sharding {
namespace {

/// One decoding. libpng leaves its calls by longjmp, so whatever has a destructor lives here, outside of them.
struct PngDecoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::span<const std::byte> rest;
  std::string error;
  png_uint_32 width = 0, height = 0;
  int depth = 0, channels = 0;
  std::vector<unsigned char> bytes;
  std::vector<png_bytep> rows;

  ~PngDecoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

void fail(png_structp png, png_const_charp text) {
  static_cast<PngDecoder*>(png_get_error_ptr(png))->error = text;
  png_longjmp(png, 1);
}
void ignore(png_structp, png_const_charp) {}

void take(png_structp png, png_bytep out, std::size_t size) {
  auto& rest = static_cast<PngDecoder*>(png_get_io_ptr(png))->rest;
  if (size > rest.size()) png_error(png, "ends too early");
  std::memcpy(out, rest.data(), size);
  rest = rest.subspan(size);
}

// To 8 or 16 bits of grey or RGB in host order.
bool read_header(PngDecoder& d) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_set_read_fn(d.png, &d, take);
  png_read_info(d.png, d.info);
  png_set_expand(d.png);  // palette to RGB, 1, 2, 4 bits to 8, tRNS to alpha
  png_set_strip_alpha(d.png);
  png_set_swap(d.png);
  png_set_interlace_handling(d.png);
  png_read_update_info(d.png, d.info);
  d.width = png_get_image_width(d.png, d.info);
  d.height = png_get_image_height(d.png, d.info);
  d.depth = png_get_bit_depth(d.png, d.info);
  d.channels = png_get_channels(d.png, d.info);
  return true;
}

bool read_pixels(PngDecoder& d) {
  if (setjmp(png_jmpbuf(d.png))) return false;
  png_read_image(d.png, d.rows.data());
  png_read_end(d.png, nullptr);
  return true;
}
}  // namespace

Picture decode_png(std::span<const std::byte> file) {
  PngDecoder d;
  d.rest = file;
  d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, fail, ignore);
  d.info = d.png ? png_create_info_struct(d.png) : nullptr;
  if (!d.info) throw DataError("PNG: out of memory");
  if (!read_header(d)) throw DataError(cat("PNG: ", d.error));
  check_picture_size(d.width, d.height);
  const std::size_t line = png_get_rowbytes(d.png, d.info);
  d.bytes.resize(line * d.height);
  for (std::size_t y = 0; y < d.height; ++y) d.rows.push_back(d.bytes.data() + y * line);
  if (!read_pixels(d)) throw DataError(cat("PNG: ", d.error));
  Picture p{d.width, d.height, d.channels, static_cast<std::uint16_t>(d.depth == 16 ? 65535 : 255), {}};
  if (d.depth == 16) {
    p.values.resize(d.bytes.size() / 2);
    std::memcpy(p.values.data(), d.bytes.data(), d.bytes.size());
  } else {
    p.values.assign(d.bytes.begin(), d.bytes.end());
  }
  return p;
}

}  // namespace entrain::sharding
