#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::sharding {

/// A decoded image: rows of pixels, 1 (grey) or 3 (RGB) values each, from 0 to `white`.
struct Picture {
  std::int64_t width = 0, height = 0, channels = 1;
  std::uint16_t white = 255;  ///< 255 or 65535
  std::vector<std::uint16_t> values;

  bool is_grey() const;  ///< one channel, or R = G = B in every pixel
  /// ITU-R BT.601 luma, rounded as Pillow's convert("L"): exact where R = G = B.
  Picture to_grey() const;
  Picture to_rgb() const;
};

/// Decodes a JPEG (EXIF orientation applied), PNG (8, 16 bit, palette; alpha dropped) or BMP (uncompressed, 1 to 32
/// bits), told apart by their first bytes. DataError with the reason.
Picture decode_picture(std::span<const std::byte> file);

Picture decode_jpeg(std::span<const std::byte> file);
Picture decode_png(std::span<const std::byte> file);
Picture decode_bmp(std::span<const std::byte> file);

/// DataError unless 1 <= width, height and the pixels fit into memory (at most 2^28).
void check_picture_size(std::int64_t width, std::int64_t height);

}  // namespace entrain::sharding
