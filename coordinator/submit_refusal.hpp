#pragma once
#include <string>

#include "coordinator/submit_stages.hpp"
#include "slurm/job_script.hpp"
#include "slurm/site.hpp"

namespace entrain::coordinator {

/// sbatch's words, then the settings that asked for what it refuses, and the nodes that there are: it names neither.
std::string refusal_text(const std::string& words, const SubmitStage& stage, const slurm::JobScript& job,
                         const slurm::Site& site);

}  // namespace entrain::coordinator
