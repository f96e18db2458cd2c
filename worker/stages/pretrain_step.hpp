#pragma once
#include "sharding/loader.hpp"
#include "worker/stages/contrastive_step.hpp"
#include "worker/stages/device_lanes.hpp"
#include "worker/stages/lane_views.hpp"
#include "worker/stages/pretrain_setup.hpp"

namespace entrain::worker {

/// What one step found; equal on all ranks.
struct StepDone {
  double loss, contrastive_accuracy, lr, gradient_norm;
};

/// One step of pretraining: images of this rank's lanes -> views -> loss over all ranks -> gradient -> update.
class PretrainStep {
 public:
  PretrainStep(PretrainSetup& setup, Stage& stage);

  /// Advances setup.step by one. Collective. NumericError (on_all_ranks) where loss or gradient is not finite, before
  /// any weight is changed.
  StepDone run(const sharding::ImageBatch& images);

 private:
  PretrainSetup& s_;
  Stage& stage_;
  const bool masks_;  // batch.same_group
  ContrastiveStep step_;
  LaneViews views_;
  DeviceLanes lanes_;
};

}  // namespace entrain::worker
