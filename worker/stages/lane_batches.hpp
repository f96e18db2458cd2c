#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "worker/collectives/lane_layout.hpp"
#include "worker/stages/stage.hpp"
#include "worker/views/view_loader.hpp"

namespace entrain::worker {

/// The views of this rank's lanes, step after step, on the device that computes: made ahead on the host. On a GPU lane
/// i + 1 travels while lane i is computed, and the first lane of the next step while the last one of this step is.
class LaneBatches {
 public:
  /// Steps [first_step, end_step). Corpus and plan must outlive it.
  LaneBatches(Stage& stage, const sharding::Corpus& corpus, const sharding::SamplePlan& plan,
              const LaneLayout& layout, std::uint64_t seed, sharding::ValueWindow window,
              std::int64_t first_step, std::int64_t end_step);

  /// Goes on to the next step; blocks until its views are made, and rethrows what failed in them.
  const ViewBatch& next();
  const ViewBatch& batch() const { return *batch_; }
  /// Lane i of batch(), [views * images, C, P, P] in [-1, 1]; on a GPU in the order 0, 1, ... and from one thread.
  at::Tensor take(std::int64_t i);

  LoaderClocks clocks() const { return loader_.clocks(); }

 private:
  at::Tensor lane(const ViewBatch& batch, std::int64_t i) const;
  std::vector<float*> make_buffers(const LaneLayout& layout, std::int64_t channels, std::int64_t steps);

  Stage& stage_;
  const std::int64_t lanes_, lane_rows_;
  std::vector<at::Tensor> buffers_;
  ViewLoader loader_;
  std::optional<ViewBatch> batch_, ahead_;
  std::unique_ptr<Upload> next_;
};

}  // namespace entrain::worker
