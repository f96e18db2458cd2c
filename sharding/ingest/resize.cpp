#include "sharding/ingest/resize.hpp"

#include <algorithm>
#include <cmath>

namespace entrain::sharding {
namespace {

/// Which input values make one output value.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

// The nearest value, as Pillow takes it: 0.5 goes up. Below 0 it does not matter: no tap lies there.
std::int64_t to_index(double place) { return static_cast<std::int64_t>(std::floor(place + 0.5)); }

// `out` outputs over the input interval [low, low + span) of an axis of `size` values.
std::vector<Taps> make_taps(std::int64_t size, double low, double span, std::int64_t out) {
  const double scale = span / static_cast<double>(out), reach = std::max(1.0, scale);
  std::vector<Taps> taps(static_cast<std::size_t>(out));
  for (std::int64_t i = 0; i < out; ++i) {
    const double centre = low + (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, to_index(centre - reach));
    const auto last = std::min(size, to_index(centre + reach));
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t j = first; j < last; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs((static_cast<double>(j) + 0.5 - centre) / reach)));
      sum += weights.back();
    }
    taps[static_cast<std::size_t>(i)].first = first;
    for (const double w : weights)
      taps[static_cast<std::size_t>(i)].weights.push_back(static_cast<float>(w / sum));
  }
  return taps;
}

// Filters one axis of [rows, length, channels]; strides in values.
std::vector<float> filter_lines(const std::vector<float>& in, std::int64_t width, std::int64_t height,
                                std::int64_t channels, const std::vector<Taps>& taps, bool down) {
  const auto out_size = static_cast<std::int64_t>(taps.size());
  const std::int64_t out_width = down ? width : out_size, out_height = down ? out_size : height;
  std::vector<float> out(static_cast<std::size_t>(out_width * out_height * channels));
  const std::int64_t step = down ? width * channels : channels;
  for (std::int64_t y = 0; y < out_height; ++y) {
    for (std::int64_t x = 0; x < out_width; ++x) {
      const Taps& t = taps[static_cast<std::size_t>(down ? y : x)];
      const std::int64_t start = down ? (t.first * width + x) * channels : (y * width + t.first) * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (std::size_t k = 0; k < t.weights.size(); ++k)
          sum += t.weights[k] * in[static_cast<std::size_t>(start + c + static_cast<std::int64_t>(k) * step)];
        out[static_cast<std::size_t>((y * out_width + x) * channels + c)] = sum;
      }
    }
  }
  return out;
}
}  // namespace

std::vector<std::uint8_t> resize(const Picture& p, std::int64_t px, Fit fit, const Window& window) {
  const std::int64_t small = std::min(p.width, p.height), large = std::max(p.width, p.height);
  const auto shrunk = [&](std::int64_t side) {
    return std::max<std::int64_t>(1,
                                  std::llround(static_cast<double>(side * px) / static_cast<double>(large)));
  };
  const std::int64_t out_width = fit == Fit::kPad ? shrunk(p.width) : px,
                     out_height = fit == Fit::kPad ? shrunk(p.height) : px;
  const std::int64_t box_width = fit == Fit::kCrop ? small : p.width,
                     box_height = fit == Fit::kCrop ? small : p.height;
  const std::int64_t box_left = (p.width - box_width) / 2, box_top = (p.height - box_height) / 2;
  const auto across =
      make_taps(p.width, static_cast<double>(box_left), static_cast<double>(box_width), out_width);
  const auto down =
      make_taps(p.height, static_cast<double>(box_top), static_cast<double>(box_height), out_height);
  std::vector<float> values(p.values.begin(), p.values.end());
  values = filter_lines(values, p.width, p.height, p.channels, across, false);
  values = filter_lines(values, out_width, p.height, p.channels, down, true);
  const bool whole = window.low == 0 && window.high == 0;
  const float low = whole ? 0.0F : static_cast<float>(window.low);
  const float scale = 255 / ((whole ? static_cast<float>(p.white) : static_cast<float>(window.high)) - low);
  const std::int64_t left = (px - out_width) / 2, top = (px - out_height) / 2;
  std::vector<std::uint8_t> out(static_cast<std::size_t>(px * px * p.channels), 0);
  for (std::int64_t y = 0; y < out_height; ++y)
    for (std::int64_t x = 0; x < out_width * p.channels; ++x) {
      const float v = (values[static_cast<std::size_t>(y * out_width * p.channels + x)] - low) * scale;
      out[static_cast<std::size_t>(((top + y) * px + left) * p.channels + x)] =
          static_cast<std::uint8_t>(std::clamp(v + 0.5F, 0.0F, 255.0F));
    }
  return out;
}

}  // namespace entrain::sharding
