#include "worker/stages/device_lanes.hpp"

namespace entrain::worker {

DeviceLanes::DeviceLanes(Stage& stage, LaneViews& views, std::int64_t lanes)
    : stage_(stage), views_(views), lanes_(lanes), made_(lanes) {}

void DeviceLanes::begin(const sharding::ImageBatch& images) {
  images_ = &images;
  if (!stage_.device.is_gpu()) return;
  stage_.device.wait_uploads({});  // of the step before
  stage_.host_threads.for_each(lanes_, [&](std::int64_t i) { made_[i] = views_.make(images, i); });
  next_ = stage_.device.start_upload(made_[0]);
}

at::Tensor DeviceLanes::take(std::int64_t i) {
  if (!stage_.device.is_gpu()) return views_.make(*images_, i);
  const at::Tensor lane = next_->tensor();
  next_ = i + 1 < lanes_ ? stage_.device.start_upload(made_[i + 1]) : nullptr;
  return lane;
}

}  // namespace entrain::worker
