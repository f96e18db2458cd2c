#pragma once
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// SimCLR on the unlabelled corpus of `config`, from the newest whole checkpoint of run.dir if there is one,
/// until the last step or a stop signal. Every image of every rank is a negative. Collective; same bits for
/// any number of ranks with `numerics: strict`. Returns 0, or 75 after a commit on request. Throws Error.
int pretrain(Stage& stage);

}  // namespace entrain::worker
