#pragma once
#include <string>
#include <vector>

#include "coordinator/submit_stages.hpp"
#include "slurm/site_findings.hpp"

namespace entrain::coordinator {

/// What the job needs on its nodes besides time and space: a build for the GPUs it asks for (as `worker`, entrain-worker,
/// tells), its container, its modules. What is known only of this machine is a warning.
std::vector<slurm::Finding> equipment_findings(const SubmitStage& stage, const std::string& worker);

}  // namespace entrain::coordinator
