#pragma once
#include "worker/stages/finetune_setup.hpp"

namespace entrain::worker {

/// finetune.mode linear: features of the frozen encoder, once; a logistic regression for each l2 of the grid;
/// `selection` chooses. Collective; the same bits for any number of ranks.
void linear_probe(Stage& stage, FinetuneSetup& s, Selection& selection);

}  // namespace entrain::worker
