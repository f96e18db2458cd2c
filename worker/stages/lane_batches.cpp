#include "worker/stages/lane_batches.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "worker/collectives/nccl.hpp"

namespace entrain::worker {
namespace {

// A CPU computes; making views is a small part of that and keeps ahead on one thread. A GPU's host has nothing else to do.
int threads_of(const Stage& stage) { return stage.device.is_gpu() ? stage.host_threads.size() : 1; }

// What fails among the ranks must not hold a rank that waits for its own GPU.
WaitCheck check_of(Stage& stage) {
  auto* nccl = dynamic_cast<NcclCollectives*>(&stage.comm);
  return nccl ? WaitCheck([nccl] { nccl->check(); }) : WaitCheck();
}

}  // namespace

std::vector<float*> LaneBatches::make_buffers(const LaneLayout& layout, std::int64_t channels,
                                              std::int64_t steps) {
  const std::int64_t side = stage_.config().views.crop_pixels;
  const std::int64_t ahead = std::max<std::int64_t>(1, stage_.config().data.prefetch);
  std::vector<float*> memory;
  for (std::int64_t i = 0; i < std::min(steps, ahead + 1); ++i) {
    buffers_.push_back(stage_.device.host_buffer({layout.my_rows(), channels, side, side}, at::kFloat));
    memory.push_back(buffers_.back().mutable_data_ptr<float>());
  }
  return memory;
}

LaneBatches::LaneBatches(Stage& stage, const sharding::Corpus& corpus, const sharding::SamplePlan& plan,
                         const LaneLayout& layout, std::uint64_t seed, sharding::ValueWindow window,
                         std::int64_t first_step, std::int64_t end_step)
    : stage_(stage),
      lanes_(layout.mine.count),
      lane_rows_(layout.lane_rows()),
      loader_(
          corpus, plan,
          {stage.config().views, seed, window, layout.mine, layout.images, layout.views, first_step, end_step,
           threads_of(stage), make_buffers(layout, corpus.shape().channels, end_step - first_step)}) {}

at::Tensor LaneBatches::lane(const ViewBatch& batch, std::int64_t i) const {
  return buffers_[batch.buffer].narrow(0, i * lane_rows_, lane_rows_);
}

const ViewBatch& LaneBatches::next() {
  const bool gpu = stage_.device.is_gpu();
  if (batch_) {
    if (gpu) stage_.device.wait_uploads(check_of(stage_));
    loader_.release(*std::exchange(batch_, std::nullopt));
  }
  if (ahead_) {  // its first lane is on its way
    batch_ = std::exchange(ahead_, std::nullopt);
    return *batch_;
  }
  batch_ = loader_.next();
  if (gpu && lanes_ > 0) next_ = stage_.device.start_upload(lane(*batch_, 0));
  return *batch_;
}

at::Tensor LaneBatches::take(std::int64_t i) {
  if (!stage_.device.is_gpu()) return lane(*batch_, i);
  const at::Tensor taken = next_->tensor();
  next_ = nullptr;
  if (i + 1 < lanes_) {
    next_ = stage_.device.start_upload(lane(*batch_, i + 1));
  } else if ((ahead_ = loader_.try_next())) {
    next_ = stage_.device.start_upload(lane(*ahead_, 0));
  }
  return taken;
}

}  // namespace entrain::worker
