#include "worker/stages/stage.hpp"

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {

void require_a_lane_for_every_rank(const Stage& stage) {
  const std::int64_t lanes = stage.config().batch.lanes, world = stage.comm.size();
  if (world <= lanes) return;
  throw LaunchError(
      cat("started on ", world, " ranks, but batch.lanes is ", lanes,
          ": at most one rank per lane. Start at most ", lanes,
          " ranks, or raise batch.lanes (and lower batch.lane_images, to keep the global batch)"));
}

}  // namespace entrain::worker
