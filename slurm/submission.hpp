#pragma once
#include <string>
#include <vector>

namespace entrain::slurm {

/// Submits a script with these options before its name and returns the job's id. Error 69 with sbatch's own words; where
/// sbatch does not answer in time it says that the job may be in the queue all the same.
std::string submit(const std::string& script, const std::vector<std::string>& options);

/// What `sbatch --test-only` says of a script that is not submitted: "can start at TIME on NODES"; Error 69 where Slurm would
/// not take it.
std::string test_submission(const std::string& script_text);

/// Cancels those of the jobs that wait in the queue and leaves those that run. Error 69.
void cancel_pending(const std::vector<std::string>& job_ids);

/// Seconds that Slurm gives the job; 0: no limit, or not told. A site may cut what was asked for.
double granted_seconds(const std::string& job_id);

}  // namespace entrain::slurm
