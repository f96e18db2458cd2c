#include "coordinator/supervise/stop_cause.hpp"

#include <csignal>

#include "configs/cat.hpp"
#include "configs/duration.hpp"

namespace entrain::supervise {
namespace {

constexpr double kNear = 120;  // more than Slurm's usual KillWait of 30 s; its TERM comes at the limit

std::string name_of(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return cat("signal ", signal);
  }
}

// A preemption moves the end of a job to that of its grace; so does a person who shortens its limit.
std::string end_text(const JobSituation& job) {
  const std::string when = *job.seconds_left > 0 ? "in " + duration_text(*job.seconds_left) : "now";
  return job.end_moved ? cat("the job's end was moved, it is ", when, ": preempted, or a shorter limit")
                       : cat("the job's time limit is ", when);
}

}  // namespace

std::string stop_cause(int signal, const JobSituation& job) {
  const std::string name = name_of(signal);
  if (signal == SIGINT) return name + ": Ctrl-C";
  if (signal == SIGHUP) return name + ": its terminal is gone";
  if (!job.in_job) return name;
  const bool near = job.seconds_left && (*job.seconds_left <= kNear || job.end_moved);
  if (signal == SIGTERM) return cat(name, ": ", near ? end_text(job) : "preempted or cancelled");
  return cat(name, ": ", job.seconds_left ? end_text(job) : "Slurm's warning before the job's end");
}

std::string own_stop_cause(int caught_signal, const JobSituation& job) {
  if (caught_signal != 0) return stop_cause(caught_signal, job);
  return job.in_job && job.seconds_left ? end_text(job) : "";
}

}  // namespace entrain::supervise
