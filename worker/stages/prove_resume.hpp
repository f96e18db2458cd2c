#pragma once
#include "worker/stages/pretrain_step.hpp"

namespace entrain::worker {

/// Before a resumed run goes on: computes the first step behind the checkpoint before the newest one again, on what the
/// run has now (ranks, machine, libraries, data), and compares the samples, the bits of the loss and a digest of every
/// tensor with what the ledger recorded. The caller loads the newest checkpoint afterwards. Collective.
/// CheckpointError (on_all_ranks) on a difference, with the first tensor that differs; a warning with
/// checkpoint.prove = warn; nothing with off. With numerics fast, the loss within 1e-3.
void prove_resume(PretrainSetup& setup, PretrainStep& step, Stage& stage);

}  // namespace entrain::worker
