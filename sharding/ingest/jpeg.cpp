#include <turbojpeg.h>

#include <cstring>
#include <memory>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "sharding/ingest/picture.hpp"

namespace entrain::sharding {
namespace {

struct Closer {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// The orientation (1 to 8) of the EXIF segment, 1 where there is none: APP1 "Exif\0\0", a TIFF header, tag 0x0112.
int exif_orientation(std::span<const std::byte> f) {
  const auto u8 = [&](std::size_t i) { return i < f.size() ? std::to_integer<unsigned>(f[i]) : 0U; };
  for (std::size_t at = 2; at + 4 < f.size() && u8(at) == 0xFF && u8(at + 1) != 0xDA;) {
    const std::size_t length = u8(at + 2) << 8 | u8(at + 3), tiff = at + 10;
    if (u8(at + 1) == 0xE1 && tiff + 8 < f.size() && std::memcmp(f.data() + at + 4, "Exif\0\0", 6) == 0) {
      const bool little = u8(tiff) == 'I';
      const auto u16 = [&](std::size_t i) {
        return little ? u8(i) | u8(i + 1) << 8 : u8(i) << 8 | u8(i + 1);
      };
      const auto u32 = [&](std::size_t i) {
        return little ? u16(i) | u16(i + 2) << 16 : u16(i) << 16 | u16(i + 2);
      };
      const std::size_t ifd = tiff + u32(tiff + 4);
      for (unsigned e = 0; e < u16(ifd); ++e) {
        const std::size_t entry = ifd + 2 + 12 * static_cast<std::size_t>(e);
        if (u16(entry) != 0x0112) continue;
        const unsigned orientation = u16(entry + 8);
        return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
      }
    }
    at += 2 + length;
  }
  return 1;
}

// Turns and mirrors the stored pixels so that they stand upright.
Picture upright(const Picture& in, int orientation) {
  if (orientation == 1) return in;
  const bool swaps = orientation >= 5;
  Picture out = in;
  if (swaps) std::swap(out.width, out.height);
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      std::int64_t sx = swaps ? y : x, sy = swaps ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        sx = in.width - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        sy = in.height - 1 - sy;
      for (std::int64_t c = 0; c < in.channels; ++c)
        out.values[static_cast<std::size_t>((y * out.width + x) * in.channels + c)] =
            in.values[static_cast<std::size_t>((sy * in.width + sx) * in.channels + c)];
    }
  }
  return out;
}
}  // namespace

Picture decode_jpeg(std::span<const std::byte> file) {
  const std::unique_ptr<void, Closer> jpeg(tjInitDecompress());
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (!jpeg ||
      tjDecompressHeader3(jpeg.get(), bytes, file.size(), &width, &height, &subsampling, &colours) != 0)
    throw DataError(cat("JPEG: ", tjGetErrorStr2(jpeg.get())));
  check_picture_size(width, height);
  const bool cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK, grey = colours == TJCS_GRAY;
  const int stored = cmyk ? 4 : grey ? 1 : 3;
  std::vector<unsigned char> raw(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                                 static_cast<std::size_t>(stored));
  // A truncated file decodes with a warning and grey filling; that is an error here.
  if (tjDecompress2(jpeg.get(), bytes, file.size(), raw.data(), width, 0, height,
                    cmyk   ? TJPF_CMYK
                    : grey ? TJPF_GRAY
                           : TJPF_RGB,
                    TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0)
    throw DataError(cat("JPEG: ", tjGetErrorStr2(jpeg.get())));
  Picture p{width, height, grey ? 1 : 3, 255, {}};
  if (!cmyk) {
    p.values.assign(raw.begin(), raw.end());
  } else {
    for (std::size_t i = 0; i < raw.size(); i += 4)  // stored inverted: 255 is no ink
      for (std::size_t c = 0; c < 3; ++c)
        p.values.push_back(static_cast<std::uint16_t>((raw[i + c] * raw[i + 3] + 127) / 255));
  }
  return upright(p, exif_orientation(file));
}

}  // namespace entrain::sharding
