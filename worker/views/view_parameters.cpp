#include "worker/views/view_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "configs/philox.hpp"
#include "worker/views/crop_rules.hpp"

namespace entrain::worker {
namespace {

float factor(Draws& draws, double width) {
  return static_cast<float>(draws.uniform(std::max(0.0, 1 - width), 1 + width));
}

std::array<int, 4> permutation(Draws& draws) {
  std::array<int, 4> order = {kBrightness, kContrast, kSaturation, kHue};
  for (int last = 3; last > 0; --last) std::swap(order[last], order[draws.below(last + 1)]);
  return order;
}

}  // namespace

ViewParameters draw_view(const ViewSection& section, const sharding::ImageShape& shape, std::uint64_t seed,
                         std::int64_t epoch, std::uint64_t sample, int view) {
  Draws draws(seed, Purpose::kView, sample, static_cast<std::uint32_t>(epoch),
              static_cast<std::uint32_t>(view));
  ViewParameters v;
  v.flip_horizontal = draws.uniform_double() < section.horizontal_flip;
  v.flip_vertical = draws.uniform_double() < section.vertical_flip;
  v.rotation_degrees = static_cast<float>(draws.uniform(-section.rotation_degrees, section.rotation_degrees));
  v.equalize = draws.uniform_double() < section.equalize;
  v.jitter = draws.uniform_double() < section.jitter;
  v.order = permutation(draws);
  v.brightness = factor(draws, section.brightness);
  v.contrast = factor(draws, section.contrast);
  v.saturation = factor(draws, section.saturation);
  v.hue = static_cast<float>(draws.uniform(-section.hue, section.hue));
  v.gamma = static_cast<float>(std::exp(draws.uniform(-section.gamma, section.gamma)));
  v.gray = draws.uniform_double() < section.gray;
  const bool blur = draws.uniform_double() < section.blur;
  const double sigma = draws.uniform(section.blur_sigma_min, section.blur_sigma_max);
  v.blur_sigma = blur ? static_cast<float>(sigma) : 0.0F;
  v.crop = section.profile == "google" ? google_crop(draws, section, shape)
                                       : torchvision_crop(draws, section, shape);
  return v;
}

ViewParameters plain_view(const sharding::ImageShape& shape) {
  ViewParameters v;
  v.crop = {0, 0, shape.height, shape.width};
  return v;
}

ViewSection finetune_views(const ViewSection& section) {
  ViewSection plain = section;
  plain.jitter = plain.gray = plain.blur = plain.equalize = 0;
  return plain;
}

}  // namespace entrain::worker
