#pragma once
#include <ctime>
#include <optional>
#include <string>

namespace entrain::slurm {

/// When Slurm ends the job that this process runs in, in seconds since 1970; nothing outside a job, or where the job has
/// no limit. Asks squeue, because an administrator or a preemption may have moved the end since the job began, and takes
/// SLURM_JOB_END_TIME (Slurm 23.02 and later) where squeue does not answer. Takes as long as squeue, at most 10 s.
std::optional<std::time_t> job_end();

/// What `squeue -o %e` prints: "2026-03-02T10:04:11", local time. Nothing for anything else (N/A, Unknown).
std::optional<std::time_t> parse_end_time(const std::string& text);

}  // namespace entrain::slurm
