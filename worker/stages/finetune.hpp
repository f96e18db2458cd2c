#pragma once
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Few labels on top of what init.from names: a linear probe or all weights (finetune.mode); the validation split
/// chooses among the grid and over the steps, test rows are never opened. run.dir receives one committed checkpoint
/// with the classifier and its lineage, metrics.json, and metrics.jsonl (full). Collective; the same bits for any
/// number of ranks. Returns 0, also where run.dir holds this result already; throws Error, of code 75 on a stop
/// signal, and then nothing is left to be mistaken for a result.
int finetune(Stage& stage);

}  // namespace entrain::worker
