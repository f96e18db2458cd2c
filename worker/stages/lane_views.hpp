#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "configs/run_config.hpp"
#include "sharding/loader.hpp"
#include "sharding/value_window.hpp"
#include "worker/collectives/lane_layout.hpp"
#include "worker/device/device.hpp"
#include "worker/views/render_view.hpp"

namespace entrain::worker {

/// Host bytes -> augmented views, one lane at a time; lanes may be made in parallel. Memory is that of the
/// first step: the tensor of a lane is overwritten when its next batch is made. Host memory, from which `device` uploads at
/// full speed.
class LaneViews {
 public:
  LaneViews(const ViewSection& config, std::uint64_t seed, sharding::ValueWindow window,
            const sharding::ImageShape& shape, const LaneLayout& layout, Device& device);

  /// Views of this rank's lane i (0: its first) out of its batch: [views * images, C, P, P] in [-1, 1],
  /// ordered (view, image). Each is keyed by (seed, epoch, sample, view) alone.
  at::Tensor make(const sharding::ImageBatch& batch, std::int64_t i);

 private:
  const ViewSection config_;
  const std::uint64_t seed_;
  const sharding::ImageShape shape_;
  const LaneLayout layout_;
  std::vector<ViewRenderer> renderers_;
  std::vector<at::Tensor> lanes_;
};

}  // namespace entrain::worker
