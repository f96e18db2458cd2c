#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace entrain {

/// Where a training run stands: on a terminal a bar in the last line, redrawn in place; elsewhere one plain
/// log line every ten seconds and one at the end. Made on rank 0 only; called from one thread.
class Progress {
 public:
  /// Steps [first_step, total_steps) lie ahead. `interval`: between two plain lines.
  Progress(std::int64_t first_step, std::int64_t total_steps,
           std::chrono::milliseconds interval = std::chrono::seconds(10));
  /// Takes the bar away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After each step: how many steps are finished in all, the loss of this one, the views it took.
  void update(std::int64_t finished_steps, double loss, std::int64_t views);
  /// The last line, in the log: where it ended and the mean speed. Once; later calls do nothing.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string numbers() const;
  void draw_bar() const;

  const std::int64_t first_, total_;
  const std::chrono::milliseconds interval_;
  const bool bar_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_update_ = start_, last_shown_ = start_;
  std::int64_t step_, views_ = 0;
  double loss_ = 0, seconds_per_step_ = 0, views_per_second_ = 0;  // smoothed over some twenty steps
  bool finished_ = false;
};

}  // namespace entrain
