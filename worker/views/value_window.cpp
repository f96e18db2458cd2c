#include "worker/views/value_window.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {

ValueWindow value_window(const DataSection& data, const sharding::Corpus& corpus) {
  if (data.window_low != 0 || data.window_high != 0) return {data.window_low, data.window_high};
  const sharding::ImageShape& shape = corpus.shape();
  if (shape.type == sharding::ElementType::kU8) return {0, 255};
  if (shape.type == sharding::ElementType::kU16) return {0, 65535};
  double largest = 0;
  std::vector<float> image(shape.values());
  const std::int64_t probes = std::min<std::int64_t>(corpus.size(), 64);
  for (std::int64_t i = 0; i < probes; ++i) {
    const std::int64_t sample = i * corpus.size() / probes;
    corpus.read(sample, reinterpret_cast<std::byte*>(image.data()));
    for (const float v : image) {
      if (!(v >= 0 && v <= 255)) {
        const sharding::Place place = corpus.place(sample);
        throw DataError(
            cat(place.file, ":", place.dataset, " row ", place.row, ": the value ", v,
                " is neither in 0..1 nor in 0..255; set data.window_low and data.window_high to the "
                "values that are to become black and white"));
      }
      largest = std::max(largest, static_cast<double>(v));
    }
  }
  return {0, largest > 1 ? 255.0 : 1.0};
}

}  // namespace entrain::worker
