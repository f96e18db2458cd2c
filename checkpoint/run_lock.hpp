#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace entrain::checkpoint {

/// When a process of this host was started, in clock ticks since boot: with its pid it names it for good. -1: it is gone.
long long process_start_ticks(long pid);

/// Under a supervisor: which of its generations this is.
struct Lease {
  std::string run_id;
  std::int64_t generation = 0;
};

/// One run directory, one run: RUN_DIR/run.lock holds who has it, as {"host", "pid", "started"}, in a batch job {"job",
/// "job_start"}, too. Taken with O_CREAT | O_EXCL; removed by the destructor. A lock whose process is gone from this host
/// (or was started at another moment: a pid that was used again) is stale and is taken over; one of another host never is,
/// unless it is that of an earlier generation of the same supervised run, which the supervisor has given up, or of an
/// earlier start of this batch job, which the scheduler has ended.
class RunLock {
 public:
  /// Creates run_dir where it is missing. LaunchError (78) names the holder; CheckpointError (73): cannot be
  /// written.
  explicit RunLock(const std::string& run_dir, const std::optional<Lease>& lease = {},
                   const std::string& name = "run.lock");
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// CommError (76) once a later generation holds it: the caller must write nothing more.
  void require_held() const;

 private:
  std::string path_, mine_;
};

/// Removes RUN_DIR/NAME where it is of another host and of another batch job that is over by the scheduler's word:
/// `is_over` is asked with the job's id (of an array's element ARRAY_ELEMENT). CheckpointError.
void remove_lock_of_ended_job(const std::string& run_dir, const std::string& name,
                              const std::function<bool(const std::string& job)>& is_over);

}  // namespace entrain::checkpoint
