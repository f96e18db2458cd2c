#pragma once
#include <functional>
#include <string>
#include <vector>

#include "coordinator/submit_stages.hpp"
#include "coordinator/supervise/bad_nodes.hpp"
#include "slurm/job_script.hpp"

namespace entrain::coordinator {

/// Nodes that earlier jobs of this run, or of a sweep's rows, found bad within the last day (supervise/bad_nodes.hpp).
std::vector<supervise::NotedNode> bad_nodes_of(const SubmitStage& stage);

/// What each stage's batch script is made of; reads the history of its run, and lists its files where they are staged. Its
/// bad nodes are excluded, with those of slurm.exclude.
std::vector<slurm::JobScript> jobs_of(const SubmitLine& line);

/// The jobs of one stage, as they stand in the queue.
struct Queued {
  std::size_t stage = 0;  ///< as many as there are stages: the summary of a sweep
  std::vector<std::string> ids{};
  std::string after{};  ///< what they wait for, in words; empty: nothing
};

/// Submits a script with options of sbatch, and says what the job is called.
using Submit = std::function<std::string(const std::string& script, const std::vector<std::string>& options)>;

/// Hands over all jobs, each behind what it waits for. `queue` grows as they go, so that it tells after a throw.
void submit_all(const std::vector<slurm::JobScript>& jobs, const Submit& submit, std::vector<Queued>& queue);

/// All scripts, and as comments the commands that would submit them.
std::string printed_jobs(const std::vector<slurm::JobScript>& jobs);

/// RUN/job.sh of each stage, for a sweep RUN/sweep.jsonl and RUN/summary.sh, too. CheckpointError.
void write_scripts(const std::vector<slurm::JobScript>& jobs, const std::vector<slurm::SweepRow>& rows);

/// Adds a job to RUN/jobs.jsonl of its run and of those before it: whoever cancels a chain cancels what comes behind.
void record_job(const std::vector<slurm::JobScript>& jobs, std::size_t stage, const std::string& id,
                const std::string& script);

/// One line per job: id, stage, what it waits for, log, and where to look.
std::string queued_text(const std::vector<slurm::JobScript>& jobs, const Queued& queued);

}  // namespace entrain::coordinator
