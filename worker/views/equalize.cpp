#include "worker/views/equalize.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace entrain::worker {
namespace {

using Histogram = std::array<std::int64_t, 256>;
using Lut = std::array<float, 256>;

// Calls visit(pointer to the first channel) for every pixel inside the border.
template <typename Visit>
void for_each_pixel(const sharding::ImageShape& shape, float* padded, Visit visit) {
  const std::int64_t pitch = (shape.width + 3) * shape.channels;
  for (std::int64_t y = 0; y < shape.height; ++y)
    for (std::int64_t x = 0; x < shape.width; ++x) visit(padded + (y + 1) * pitch + (x + 1) * shape.channels);
}

// torchvision's float -> u8: truncation of x * (256 - 1e-3), transforms/v2/functional/_misc.py to_dtype_image.
int level_of(float x) { return static_cast<int>(x * 255.999F); }
// REMEDIS: gray * 255, truncated.
int gray_level(const float* p, std::int64_t channels) {
  const float gray = channels == 1 ? p[0] : 0.2989F * p[0] + 0.587F * p[1] + 0.114F * p[2];
  return std::clamp(static_cast<int>(gray * 255.0F), 0, 255);
}

// Pillow's rule as torchvision has it (v2/functional/_color.py equalize_image): all in whole numbers. Nothing
// changes where the levels below the highest hold fewer than 255 pixels.
Lut pillow_lut(const Histogram& histogram, std::int64_t pixels) {
  Lut lut;
  const auto highest =
      std::find_if(histogram.rbegin(), histogram.rend(), [](std::int64_t n) { return n > 0; });
  const std::int64_t step = (pixels - *highest) / 255;
  std::int64_t below = 0;  // pixels of lower levels
  for (int level = 0; level < 256; below += histogram[level++]) {
    const std::int64_t mapped = step == 0 ? level : std::min<std::int64_t>((below + step / 2) / step, 255);
    lut[level] = static_cast<float>(level == 0 && step > 0 ? 0 : mapped) / 255.0F;
  }
  return lut;
}

Lut remedis_lut(const Histogram& histogram, std::int64_t pixels) {
  Lut lut;
  const std::int64_t lowest =
      *std::find_if(histogram.begin(), histogram.end(), [](std::int64_t n) { return n > 0; });
  std::int64_t cdf = 0;
  for (int level = 0; level < 256; ++level) {
    cdf += histogram[level];
    const double share = static_cast<double>((cdf - lowest) * 255) /
                         static_cast<double>(std::max<std::int64_t>(pixels - 1, 1));
    lut[level] = static_cast<float>(std::clamp(std::nearbyint(share), 0.0, 255.0)) / 255.0F;
  }
  return lut;
}

}  // namespace

void equalize_padded(const sharding::ImageShape& shape, bool per_channel, float* padded) {
  const std::int64_t pixels = shape.height * shape.width;
  if (!per_channel) {
    Histogram histogram{};
    for_each_pixel(shape, padded, [&](const float* p) { ++histogram[gray_level(p, shape.channels)]; });
    const Lut lut = remedis_lut(histogram, pixels);
    for_each_pixel(shape, padded,
                   [&](float* p) { std::fill_n(p, shape.channels, lut[gray_level(p, shape.channels)]); });
    return;
  }
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    Histogram histogram{};
    for_each_pixel(shape, padded, [&](const float* p) { ++histogram[level_of(p[c])]; });
    const Lut lut = pillow_lut(histogram, pixels);
    for_each_pixel(shape, padded, [&](float* p) { p[c] = lut[level_of(p[c])]; });
  }
}

}  // namespace entrain::worker
