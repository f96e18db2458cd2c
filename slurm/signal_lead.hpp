#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace entrain::slurm {

/// What the steps and commits of a run took so far, from RUN/metrics.jsonl.
struct RunTimes {
  std::optional<double> step_seconds;    ///< the slowest of the last 2,000 steps
  std::optional<double> commit_seconds;  ///< the longest stretch of steps during which a commit was written
};
/// Never throws: no file, or lines that are not ours, are no history.
RunTimes times_of(const std::string& run_dir);

/// Seconds before the time limit at which Slurm is to warn the run: 60 s, because the signal may come late, two commits
/// and a step; 240 s for a run without a history. At most half of the limit (0: there is none), and 65535.
std::int64_t signal_lead_seconds(const RunTimes& times, double limit_seconds);

}  // namespace entrain::slurm
