#include "sharding/ingest/picture.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {

bool Picture::is_grey() const {
  if (channels == 1) return true;
  for (std::size_t i = 0; i < values.size(); i += 3)
    if (values[i] != values[i + 1] || values[i] != values[i + 2]) return false;
  return true;
}

Picture Picture::to_grey() const {
  if (channels == 1) return *this;
  Picture grey{width, height, 1, white, std::vector<std::uint16_t>(values.size() / 3)};
  for (std::size_t i = 0; i < grey.values.size(); ++i) {
    const std::uint64_t sum = std::uint64_t{19595} * values[3 * i] +
                              std::uint64_t{38470} * values[3 * i + 1] +
                              std::uint64_t{7471} * values[3 * i + 2] + 0x8000;
    grey.values[i] = static_cast<std::uint16_t>(sum >> 16);
  }
  return grey;
}

Picture Picture::to_rgb() const {
  if (channels == 3) return *this;
  Picture rgb{width, height, 3, white, {}};
  rgb.values.reserve(3 * values.size());
  for (const auto v : values) rgb.values.insert(rgb.values.end(), 3, v);
  return rgb;
}

void check_picture_size(std::int64_t width, std::int64_t height) {
  if (width < 1 || height < 1 || width > (1 << 28) / height)
    throw DataError(cat("a size of ", width, " x ", height, " pixels"));
}

Picture decode_picture(std::span<const std::byte> file) {
  const std::string_view start(reinterpret_cast<const char*>(file.data()),
                               std::min<std::size_t>(file.size(), 8));
  if (file.empty()) throw DataError("is empty");
  if (start.starts_with("\xFF\xD8")) return decode_jpeg(file);
  if (start == "\x89PNG\r\n\x1a\n") return decode_png(file);
  if (start.starts_with("BM")) return decode_bmp(file);
  throw DataError("is neither JPEG, PNG nor BMP");
}

}  // namespace entrain::sharding
