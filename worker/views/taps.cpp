#include "worker/views/taps.hpp"

#include <algorithm>
#include <cmath>

namespace entrain::worker {
namespace {

double tent(double x) { return std::max(0.0, 1 - std::abs(x)); }

double keys(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

// Divides the taps of output i by their sum.
void normalise(Taps& taps, std::int64_t i) {
  float* w = &taps.weights[i * taps.stride];
  double sum = 0;
  for (int t = 0; t < taps.count[i]; ++t) sum += w[t];
  for (int t = 0; t < taps.count[i]; ++t) w[t] = static_cast<float>(w[t] / sum);
}

}  // namespace

void Taps::reserve(std::int64_t longest, std::int64_t outputs) {
  const double scale = std::max(1.0, static_cast<double>(longest) / static_cast<double>(outputs));
  stride = std::max(4, static_cast<std::int32_t>(2 * std::ceil(scale)) + 2);
  first.resize(outputs);
  count.resize(outputs);
  weights.resize(outputs * stride);
}

void Taps::reverse() {
  std::reverse(first.begin(), first.end());
  std::reverse(count.begin(), count.end());
  const std::int64_t n = static_cast<std::int64_t>(first.size());
  for (std::int64_t i = 0; i < n / 2; ++i)
    std::swap_ranges(&weights[i * stride], &weights[i * stride] + stride, &weights[(n - 1 - i) * stride]);
}

// ATen's rule (aten/src/ATen/native/cpu/UpSampleKernel.cpp, _compute_indices_min_size_weights_aa), float where it
// has float: near black a later gamma makes 1e-3 out of a weight that is 1e-7 in one and 0 in the other.
void fill_antialiased(std::int64_t inputs, std::int64_t outputs, Taps& taps) {
  const float scale = static_cast<float>(inputs) / static_cast<float>(outputs);
  const float support = std::max(1.0F, scale), inverse = 1.0F / support;
  for (std::int64_t i = 0; i < outputs; ++i) {
    const float centre = static_cast<float>(static_cast<double>(scale) * (static_cast<double>(i) + 0.5));
    const double below = static_cast<double>(centre - support) + 0.5,
                 above = static_cast<double>(centre + support) + 0.5;
    const auto low = std::max<std::int64_t>(static_cast<std::int64_t>(below), 0);
    const auto high = std::min<std::int64_t>(static_cast<std::int64_t>(above), inputs);
    taps.first[i] = static_cast<std::int32_t>(low);
    taps.count[i] = static_cast<std::int32_t>(std::min<std::int64_t>(high - low, taps.stride));
    for (int t = 0; t < taps.count[i]; ++t) {
      const double place = static_cast<double>(static_cast<float>(low + t) - centre) + 0.5;
      taps.weights[i * taps.stride + t] = static_cast<float>(tent(place * static_cast<double>(inverse)));
    }
    normalise(taps, i);
  }
}

// TensorFlow's rule (core/kernels/image/resize_bicubic_op.cc, GetWeightsAndIndices with use_keys_cubic).
void fill_keys_bicubic(std::int64_t inputs, std::int64_t outputs, Taps& taps) {
  const float scale = static_cast<float>(inputs) / static_cast<float>(outputs);
  for (std::int64_t i = 0; i < outputs; ++i) {
    const float place = (static_cast<float>(i) + 0.5F) * scale - 0.5F;
    const auto base = static_cast<std::int64_t>(std::floor(place));
    const double fraction = static_cast<double>(std::lrint((place - static_cast<float>(base)) * 1024)) / 1024;
    const auto low = std::max<std::int64_t>(base - 1, 0), high = std::min<std::int64_t>(base + 3, inputs);
    taps.first[i] = static_cast<std::int32_t>(low);
    taps.count[i] = static_cast<std::int32_t>(high - low);
    for (int t = 0; t < taps.count[i]; ++t)
      taps.weights[i * taps.stride + t] =
          static_cast<float>(keys(static_cast<double>(low + t - base) - fraction));
    normalise(taps, i);
  }
}

}  // namespace entrain::worker
