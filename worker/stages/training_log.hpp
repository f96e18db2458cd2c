#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "checkpoint/jsonl.hpp"
#include "configs/progress.hpp"
#include "worker/stages/stage.hpp"
#include "worker/views/view_loader.hpp"

namespace entrain::worker {

/// What one finished step has to say; a line of metrics.jsonl.
struct StepMetrics {
  std::int64_t step;
  double loss, contrastive_accuracy, lr, gradient_norm;
  LoaderClocks data;            ///< since the loader began
  double commit_stall_seconds;  ///< training waited so long for a snapshot or a witness in this step
  bool committing;              ///< a commit was being written meanwhile
};

/// metrics.jsonl and the progress line of a training run; silent on all ranks but 0.
class TrainingLog {
 public:
  TrainingLog(const Stage& stage, std::int64_t first_step, std::int64_t total_steps,
              std::int64_t views_per_step);
  void begin_step(std::int64_t step);
  void end_step(const StepMetrics& m);
  /// Since begin_step().
  double step_seconds() const { return seconds() - step_began_; }
  /// The last lines: why it stopped, or that it is done.
  void stopped(std::string_view why);
  void finished();

 private:
  void write_metrics(const nlohmann::json& line);
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  const std::int64_t total_steps_, views_per_step_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<checkpoint::JsonLines> metrics_;
  std::optional<Progress> progress_;
  bool told_lost_ = false;
  double step_began_ = 0;
  LoaderClocks data_;  // at the end of the step before
  std::int64_t step_ = 0, first_step_ = 0;
};

}  // namespace entrain::worker
