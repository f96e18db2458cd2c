#pragma once
#include <optional>
#include <string>

namespace entrain::supervise {

/// The batch job, if there is one, as far as it tells why a signal came.
struct JobSituation {
  bool in_job = false;
  std::optional<double> seconds_left{};  ///< to its end, as Slurm says now; nothing: no limit
  bool end_moved = false;                ///< it was to end later when the run began
};

/// Why the supervisor was sent `signal`, in words, no surer than can be known: "SIGTERM: preempted or cancelled".
std::string stop_cause(int signal, const JobSituation& job);

/// Why ranks may have stopped by themselves: a signal that one of them caught (0: none), else the end of the job.
std::string own_stop_cause(int caught_signal, const JobSituation& job);

}  // namespace entrain::supervise
