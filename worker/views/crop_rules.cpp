#include "worker/views/crop_rules.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace entrain::worker {
namespace {

constexpr double kMinAspect = 3.0 / 4, kMaxAspect = 4.0 / 3;

// Python's round(): nearbyint in the default rounding mode takes halves to the even neighbour.
std::int64_t round_half_even(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

std::int64_t position(double u, std::int64_t positions) {
  return std::min(static_cast<std::int64_t>(u * static_cast<double>(positions)), positions - 1);
}

CropBox central_crop(std::int64_t height, std::int64_t width) {
  const double aspect = static_cast<double>(width) / static_cast<double>(height);
  CropBox box{0, 0, height, width};
  if (aspect < kMinAspect) box.height = round_half_even(static_cast<double>(width) / kMinAspect);
  if (aspect > kMaxAspect) box.width = round_half_even(static_cast<double>(height) * kMaxAspect);
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

// One try of TensorFlow's GenerateRandomCrop (core/kernels/image/sample_distorted_bounding_box_op.cc), whose
// float arithmetic is kept. `u`: three numbers in [0, 1) for height, row and column.
std::optional<CropBox> try_google(float aspect, float min_area, float max_area,
                                  const sharding::ImageShape& shape, const std::array<double, 3>& u) {
  const auto width_of = [&](std::int64_t h) { return std::lrint(static_cast<float>(h) * aspect); };
  std::int64_t height = std::lrint(std::sqrt(min_area / aspect));
  std::int64_t highest = std::lrint(std::sqrt(max_area / aspect));
  if (width_of(highest) > shape.width) {
    highest = static_cast<std::int64_t>((static_cast<float>(shape.width) + 0.5F) / aspect);
    if (width_of(highest) > shape.width) --highest;
  }
  highest = std::min(highest, shape.height);
  height = std::min(height, highest);
  height += position(u[0], highest - height + 1);
  const auto area = [&] { return static_cast<float>(height * width_of(height)); };
  if (area() < min_area) ++height;
  if (area() > max_area) --height;
  const std::int64_t width = width_of(height);
  if (area() < min_area || area() > max_area || width > shape.width || height > shape.height || width <= 0 ||
      height <= 0)
    return std::nullopt;
  const std::int64_t top = height < shape.height ? position(u[1], shape.height - height) : 0;
  const std::int64_t left = width < shape.width ? position(u[2], shape.width - width) : 0;
  return CropBox{top, left, height, width};
}

}  // namespace

CropBox torchvision_crop(Draws& draws, const ViewSection& section, const sharding::ImageShape& shape) {
  const double whole = static_cast<double>(shape.height * shape.width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = whole * draws.uniform(section.min_area, section.max_area);
    const double aspect = std::exp(draws.uniform(std::log(kMinAspect), std::log(kMaxAspect)));
    const double u_top = draws.uniform_double(), u_left = draws.uniform_double();
    const std::int64_t width = round_half_even(std::sqrt(area * aspect));
    const std::int64_t height = round_half_even(std::sqrt(area / aspect));
    if (width <= 0 || width > shape.width || height <= 0 || height > shape.height) continue;
    return {position(u_top, shape.height - height + 1), position(u_left, shape.width - width + 1), height,
            width};
  }
  return central_crop(shape.height, shape.width);
}

CropBox google_crop(Draws& draws, const ViewSection& section, const sharding::ImageShape& shape) {
  constexpr float kMinObjectCovered = 0.1F;
  const float whole = static_cast<float>(shape.height * shape.width);
  const float min_area = static_cast<float>(section.min_area) * whole;
  const float max_area = static_cast<float>(section.max_area) * whole;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const float aspect = static_cast<float>(draws.uniform(kMinAspect, kMaxAspect));
    const std::array u = {draws.uniform_double(), draws.uniform_double(), draws.uniform_double()};
    const auto box = try_google(aspect, min_area, max_area, shape, u);
    if (box && static_cast<float>(box->height * box->width) >= kMinObjectCovered * whole) return *box;
  }
  return {0, 0, shape.height, shape.width};
}

}  // namespace entrain::worker
