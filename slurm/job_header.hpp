#pragma once
#include <string>

#include "slurm/job_script.hpp"

namespace entrain::slurm {

/// The comments and #SBATCH lines at the top of a job's script.
std::string job_header(const JobScript& job);
/// Those of a summary: one task of a few minutes, on the partition and account of the sweep.
std::string summary_header(const JobScript& last_stage);
/// slurm.job_name, else the last part of run.dir.
std::string job_name(const JobScript& job);

}  // namespace entrain::slurm
