#include "sharding/row_checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/sha256.hpp"

namespace entrain::sharding {
namespace {
constexpr std::int64_t kSampledRows = 64;

bool has_nan(const std::byte* pixels, std::int64_t values) {
  for (std::int64_t i = 0; i < values; ++i) {
    float v = 0;
    std::memcpy(&v, pixels + static_cast<std::size_t>(i) * sizeof v, sizeof v);
    if (!std::isfinite(v)) return true;
  }
  return false;
}

// Every value equals the one before it, i.e. the bytes equal themselves shifted by one pixel.
bool is_constant(const std::byte* pixels, const ImageShape& shape) {
  const std::size_t pixel = bytes_of(shape.type) * static_cast<std::size_t>(shape.channels);
  return std::memcmp(pixels, pixels + pixel, shape.bytes() - pixel) == 0;
}

bool read_row(ImageReader& images, std::int64_t row, std::vector<std::byte>& pixels) {
  try {
    images.read(row, pixels.data());
    return true;
  } catch (const DataError& error) {
    return false;
  }
}
}  // namespace

RowState check_pixels(const std::byte* pixels, const ImageShape& shape) {
  if (shape.type == ElementType::kF32 && has_nan(pixels, shape.values())) return RowState::kNotANumber;
  return is_constant(pixels, shape) ? RowState::kConstant : RowState::kGood;
}

std::vector<std::int64_t> good_rows(CorpusTables& tables) {
  ImageReader& images = *tables.images;
  std::vector<std::byte> pixels(images.shape().bytes());
  std::vector<std::int64_t> good;
  std::int64_t counts[4] = {};
  for (std::int64_t row = 0; row < images.num_rows(); ++row) {
    const RowState state =
        read_row(images, row, pixels) ? check_pixels(pixels.data(), images.shape()) : RowState::kUnreadable;
    ++counts[static_cast<int>(state)];
    if (state == RowState::kGood) good.push_back(row);
  }
  tables.num_skipped = images.num_rows() - static_cast<std::int64_t>(good.size());
  if (tables.num_skipped > 0)
    log(Level::kWarning, cat("data.on_corrupt=skip: left out ", tables.num_skipped, " of ", images.num_rows(),
                             " images: ", counts[1], " unreadable, ", counts[2], " with NaN or infinity, ",
                             counts[3], " constant"));
  if (good.empty()) throw DataError(cat("data.on_corrupt=skip left no image of ", images.num_rows()));
  return good;
}

std::string digest_of_file(ImageReader& images, std::size_t file, bool tolerate) {
  const ImageShape& s = images.shape();
  const std::int64_t first = images.first_row(file), num_rows = images.first_row(file + 1) - first;
  Sha256 sha;
  sha.add(cat("entrain images 1: ", s.height, " ", s.width, " ", s.channels, " ", name_of(s.type), " ",
              num_rows, "\n"));
  std::set<std::int64_t> rows = {0, num_rows - 1};
  for (std::int64_t i = 0; i < kSampledRows; ++i) rows.insert(i * num_rows / kSampledRows);
  std::vector<std::byte> pixels(s.bytes());
  for (const auto row : rows) {
    if (tolerate && !read_row(images, first + row, pixels)) {
      sha.add("unreadable");
      continue;
    }
    if (!tolerate) images.read(first + row, pixels.data());
    sha.add(pixels);
  }
  return sha.hex();
}

}  // namespace entrain::sharding
