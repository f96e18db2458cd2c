#pragma once
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Scores of the fine-tuned classifier that init.from names on the labelled rows of any corpus. run.dir receives
/// predictions.csv and metrics.json; rank 0 prints a short table. Nothing of the classifier changes: no weight, no
/// threshold, no normaliser. Refuses (DataError) a corpus whose patients the weights have seen, with or without
/// labels, unless evaluate.allow_leakage marks the result; and (CheckpointError) a run.dir that holds another run, or
/// the results of other weights or another corpus: only the same evaluation may replace itself. Collective; the same files for any number of ranks.
/// Returns 0; throws Error, of code 75 on a stop signal.
int evaluate(Stage& stage);

}  // namespace entrain::worker
