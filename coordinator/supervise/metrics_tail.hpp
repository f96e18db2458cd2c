#pragma once
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::supervise {

/// Follows RUN/metrics.jsonl: the newest step's numbers and two curves. A resume cuts the file back; then it is read
/// anew.
class MetricsTail {
 public:
  explicit MetricsTail(const std::string& run_dir) : path_(run_dir + "/metrics.jsonl") {}

  /// Reads what came since the last call.
  void read();
  /// The curves and, of ranks that train, the newest numbers: those of an earlier generation say nothing of one that is
  /// only starting.
  void fill(status::RunStatus& status) const;
  /// Seconds that the steps up to `step` took, each counted once; of one that stalled no more than three usual ones.
  double seconds_of_steps() const { return seconds_; }

 private:
  void forget();
  void take(const std::string& line);

  std::string path_, rest_;
  std::uint64_t offset_ = 0, inode_ = 0;
  std::int64_t step_ = 0;
  std::optional<double> loss_;
  double step_seconds_ = 0, views_per_second_ = 0, seconds_ = 0;
  std::int64_t every_ = 1;  // only steps divisible by it are points of the curves
  std::vector<std::pair<std::int64_t, double>> losses_, speeds_;
};

}  // namespace entrain::supervise
