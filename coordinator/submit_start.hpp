#pragma once
#include <vector>

#include "coordinator/submit_stages.hpp"
#include "sharding/corpus.hpp"
#include "slurm/site_findings.hpp"

namespace entrain::coordinator {

/// Of a stage, and of each row of a sweep, whose init.from is not the stage before: whether that is something it can begin
/// from. Opens no weights.
std::vector<slurm::Finding> start_findings(const SubmitStage& stage, const SubmitStage* before);

/// Whether a fine-tuning or evaluation finds in this corpus the labels and splits that it asks for before its first step.
std::vector<slurm::Finding> label_findings(const SubmitStage& stage, const sharding::Corpus& corpus);

}  // namespace entrain::coordinator
