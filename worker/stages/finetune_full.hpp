#pragma once
#include "worker/stages/finetune_setup.hpp"

namespace entrain::worker {

/// finetune.mode full: all weights, once for each learning rate of the grid, from the same start: the classifier of an
/// earlier fine-tuning where there is one, else the linear probe that is best on validation. `selection` looks
/// every finetune.eval_every steps and keeps the best. Collective; the same bits for any number of ranks up to the
/// number of lanes (else LaunchError). NumericError (on all ranks) where no learning rate came to anything. Lines
/// of metrics.jsonl on rank 0.
void finetune_full(Stage& stage, FinetuneSetup& s, Selection& selection);

}  // namespace entrain::worker
