#pragma once
#include "worker/stages/contrastive_step.hpp"
#include "worker/stages/lane_batches.hpp"
#include "worker/stages/pretrain_setup.hpp"

namespace entrain::worker {

/// What one step found; equal on all ranks.
struct StepDone {
  double loss, contrastive_accuracy, lr, gradient_norm;
};

/// One step of pretraining: views of this rank's lanes -> loss over all ranks -> gradient -> update.
class PretrainStep {
 public:
  PretrainStep(PretrainSetup& setup, Stage& stage);

  /// On the batch that `lanes` stands at. Advances setup.step by one. Collective. NumericError (on_all_ranks) where loss or gradient is not finite, before
  /// any weight is changed.
  StepDone run(LaneBatches& lanes);

 private:
  PretrainSetup& s_;
  Stage& stage_;
  const bool masks_;  // batch.same_group
  ContrastiveStep step_;
};

}  // namespace entrain::worker
