#include "sharding/value_window.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {

[[noreturn]] void refuse(const Place& place, float value) {
  const std::string where = cat(place.file, ":", place.dataset, " row ", place.row);
  if (!std::isfinite(value))
    throw DataError(cat(where, ": the image holds ", std::isnan(value) ? "NaN" : "infinity",
                        ", which is no grey value; data.on_corrupt=skip leaves such images out"));
  if (std::abs(value) > kWidestWindow)
    throw DataError(cat(where, ": the value ", value, " is beyond what a window takes, ", kWidestWindow,
                        "; store the images in smaller units"));
  throw DataError(cat(where, ": the value ", value,
                      " is neither in 0..1 nor in 0..255; set data.window_low and data.window_high to the "
                      "values that are to become black and white"));
}

}  // namespace

ValueWindow value_window(const DataSection& data, const Corpus& corpus) {
  if (data.window_low != 0 || data.window_high != 0) return {data.window_low, data.window_high};
  const ImageShape& shape = corpus.shape();
  if (shape.type == ElementType::kU8) return {0, 255};
  if (shape.type == ElementType::kU16) return {0, 65535};
  double largest = 0;
  std::vector<float> image(shape.values());
  const std::int64_t probes = std::min<std::int64_t>(corpus.size(), 64);
  for (std::int64_t i = 0; i < probes; ++i) {
    const std::int64_t sample = i * corpus.size() / probes;
    corpus.read(sample, reinterpret_cast<std::byte*>(image.data()));
    for (const float v : image) {
      if (!(v >= 0 && v <= 255)) refuse(corpus.place(sample), v);
      largest = std::max(largest, static_cast<double>(v));
    }
  }
  return {0, largest > 1 ? 255.0 : 1.0};
}

}  // namespace entrain::sharding
