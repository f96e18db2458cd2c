#include "worker/stages/lane_views.hpp"

#include <ATen/ATen.h>

#include "worker/views/view_parameters.hpp"

namespace entrain::worker {

LaneViews::LaneViews(const ViewSection& config, std::uint64_t seed, sharding::ValueWindow window,
                     const sharding::ImageShape& shape, const LaneLayout& layout, Device& device)
    : config_(config), seed_(seed), shape_(shape), layout_(layout) {
  for (std::int64_t i = 0; i < layout.mine.count; ++i) {
    renderers_.emplace_back(config, shape, window.low, window.high);
    lanes_.push_back(device.host_buffer(
        {layout.lane_rows(), shape.channels, config.crop_pixels, config.crop_pixels}, at::kFloat));
  }
}

at::Tensor LaneViews::make(const sharding::ImageBatch& batch, std::int64_t i) {
  float* row = lanes_[i].mutable_data_ptr<float>();
  for (std::int64_t view = 0; view < layout_.views; ++view)
    for (std::int64_t k = i * layout_.images; k < (i + 1) * layout_.images; ++k) {
      const sharding::Slot slot = batch.slots[k];
      const ViewParameters drawn = draw_view(config_, shape_, seed_, slot.epoch,
                                             static_cast<std::uint64_t>(slot.sample), static_cast<int>(view));
      renderers_[i].render(batch.image(k), drawn, row);
      row += shape_.channels * config_.crop_pixels * config_.crop_pixels;
    }
  return lanes_[i];
}

}  // namespace entrain::worker
