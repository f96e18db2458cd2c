#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "sharding/loader.hpp"
#include "worker/stages/lane_views.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// The views of one batch on the device that computes. A CPU makes each lane when it is asked for, in the thread that asks. For
/// a GPU all host threads make them first; then a lane travels while the one before is computed.
class DeviceLanes {
 public:
  DeviceLanes(Stage& stage, LaneViews& views, std::int64_t lanes);

  /// `images` must live until the last lane was taken.
  void begin(const sharding::ImageBatch& images);
  /// Lane i; on a GPU in the order 0, 1, ... and from one thread.
  at::Tensor take(std::int64_t i);

 private:
  Stage& stage_;
  LaneViews& views_;
  std::int64_t lanes_;
  const sharding::ImageBatch* images_ = nullptr;
  std::vector<at::Tensor> made_;
  std::unique_ptr<Upload> next_;
};

}  // namespace entrain::worker
