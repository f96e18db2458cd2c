#pragma once
#include <string>

namespace entrain::checkpoint {

/// One run directory, one run: RUN_DIR/run.lock holds who has it, as {"host", "pid", "started"}. Taken with
/// O_CREAT | O_EXCL; removed by the destructor. A lock whose process is gone from this host (or was started
/// at another moment: a pid that was used again) is stale and is taken over; one of another host never is.
class RunLock {
 public:
  /// Creates run_dir where it is missing. LaunchError (78) names the holder; CheckpointError (73): cannot be
  /// written.
  explicit RunLock(const std::string& run_dir);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  std::string path_, mine_;
};

}  // namespace entrain::checkpoint
