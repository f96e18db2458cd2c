#pragma once
#include <string>
#include <vector>

namespace entrain::slurm {

/// A line of RUN/jobs.jsonl: a job that was submitted for this run, or for a stage behind it.
struct JobRecord {
  std::string job{};     ///< Slurm's id; of an array the array's
  std::string stage{};   ///< pretrain | finetune | evaluate | summary
  std::string time{};    ///< 2026-03-02T10:04:11Z
  std::string script{};  ///< absolute
};

/// RUN/jobs.jsonl
std::string jobs_path(const std::string& run_dir);
/// Adds a line. CheckpointError where it cannot be written.
void append_job(const std::string& run_dir, const JobRecord& record);
/// All jobs, oldest first; lines that are not ours are passed over. Empty where there is no file.
std::vector<JobRecord> read_jobs(const std::string& run_dir);

}  // namespace entrain::slurm
