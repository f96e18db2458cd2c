#pragma once
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>

namespace entrain::coordinator {

/// How long the batch job has left; asked again every minute by a thread of its own, because a limit may change and a
/// preemption shortens it. Outside a job: nothing, and no thread.
class JobDeadline {
 public:
  JobDeadline();
  ~JobDeadline();
  JobDeadline(const JobDeadline&) = delete;
  JobDeadline& operator=(const JobDeadline&) = delete;

  /// Nothing: no job, or one without a limit.
  std::optional<double> seconds_left() const;

 private:
  void watch();

  mutable std::mutex mutex_;
  std::condition_variable ending_;
  bool stop_ = false;
  std::optional<std::time_t> end_;
  std::thread thread_;
};

}  // namespace entrain::coordinator
