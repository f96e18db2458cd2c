#pragma once
#include <string>
#include <vector>

#include "coordinator/submit_stages.hpp"
#include "slurm/job_script.hpp"
#include "slurm/site_findings.hpp"

namespace entrain::coordinator {

/// The preflight: what the cluster says to each stage's job, and what a stage needs besides: its files, there and
/// readable (every header, a sample of the images), something to begin from, labels, disk for the checkpoints that are kept, what the nodes
/// must have.
std::vector<slurm::Finding> submit_findings(const SubmitLine& line,
                                            const std::vector<slurm::JobScript>& jobs);

/// Prints every finding, one line each, and throws the first error's code if there is any.
void require_good(const std::vector<slurm::Finding>& findings);

}  // namespace entrain::coordinator
