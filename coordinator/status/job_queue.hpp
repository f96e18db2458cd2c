#pragma once
#include <chrono>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// A job as the queue has it, in Slurm's words.
struct QueuedJob {
  std::string array{}, task{};    ///< "43" and "2" of 43_2; of a job that is no array, its id and no number
  std::string state{}, reason{};  ///< PENDING, Resources
  std::optional<std::time_t> began{};

  std::string id() const;
};

/// The queue of the batch system, as far as runs go that were submitted (RUN/jobs.jsonl; of a row of a sweep, the jobs
/// of the sweep). squeue is asked at most every ten seconds for the same jobs, and for all rows of a sweep once.
class JobQueue {
 public:
  /// The run as its files tell it, or none where it left none, and what the queue adds: a run that has ended with 75 or
  /// 76, is unknown, or has not begun, is `waiting` while its job is in the queue. Nothing: there is no such run, and no
  /// job of it is known. Any other run is left as it is, and squeue is not asked.
  std::optional<RunStatus> add_to(std::optional<RunStatus> run, const std::string& run_dir,
                                  const std::string& now);

 private:
  struct Answer {
    std::vector<QueuedJob> jobs{};
    std::string complaint{};  ///< why squeue could not say
    std::chrono::steady_clock::time_point when{};
  };
  const Answer& ask(const std::string& ids);

  std::map<std::string, Answer> answers_;
};

}  // namespace entrain::status
