#include "sharding/ingest/noise_field.hpp"

#include <algorithm>

namespace entrain::sharding {
namespace {
constexpr float kSide = 1.2F;
float ease(float t) { return t * t * (3 - 2 * t); }
}  // namespace

NoiseField::NoiseField(Draws draws, int cells)
    : cells_(cells), lattice_(static_cast<std::size_t>(cells + 1) * static_cast<std::size_t>(cells + 1)) {
  for (float& value : lattice_) value = 2 * draws.uniform() - 1;
}

float NoiseField::at(float x, float y) const {
  const auto cells = static_cast<float>(cells_);
  const float u = std::clamp((x + kSide) / (2 * kSide), 0.0F, 0.9999F) * cells;
  const float v = std::clamp((y + kSide) / (2 * kSide), 0.0F, 0.9999F) * cells;
  const int i = static_cast<int>(u), j = static_cast<int>(v);
  const float s = ease(u - static_cast<float>(i)), t = ease(v - static_cast<float>(j));
  const float* row = lattice_.data() + static_cast<std::ptrdiff_t>(j) * (cells_ + 1) + i;
  const float* below = row + cells_ + 1;
  return (1 - t) * ((1 - s) * row[0] + s * row[1]) + t * ((1 - s) * below[0] + s * below[1]);
}

}  // namespace entrain::sharding
