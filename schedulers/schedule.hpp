#pragma once
#include <array>
#include <cstdint>

#include "configs/run_config.hpp"

namespace entrain::schedulers {

/// Steps of a run: train.steps, or train.epochs rounded up to whole steps. Where neither is set: 0, but the
/// BiT hyper-rule's own number for schedule.name bit_hyper. With schedule.name simclr the epochs are counted
/// as the paper's code counts them: N * epochs // G + 1.
std::int64_t total_steps(const TrainSection& train, const ScheduleSection& schedule, std::int64_t num_samples,
                         std::int64_t global_batch);
/// The same for the default schedule, cosine.
std::int64_t total_steps(const TrainSection& train, std::int64_t num_samples, std::int64_t global_batch);

/// Learning rate as a pure function of the step. Names (schedule.name):
///   cosine     linear warm-up, base * (step + 1) / warm, so that no step is wasted; then half a cosine to 0 at the end
///   simclr     as google-research/simclr model_util.py: base * step / warm, 0 at step 0; then the same cosine
///   constant   linear warm-up as cosine, then base
///   bit_hyper  BiT's hyper-rule (big_transfer bit_hyperrule.py): warm-up and /10 at steps that go by the number of
///              samples, stretched if the run has another length
/// where base = lr scaled by the batch: linear lr * G / 256, sqrt lr * sqrt(G), none lr.
class Schedule {
 public:
  /// `base_lr`: optim.lr. Throws ConfigError if total_steps < 1.
  Schedule(const ScheduleSection& schedule, double base_lr, std::int64_t global_batch,
           std::int64_t num_samples, std::int64_t total_steps);

  /// Learning rate of the update that makes step into step + 1; 0 <= step. Past the end: the last value.
  double value(std::int64_t step) const;

  std::int64_t total_steps() const { return total_; }
  std::int64_t warmup_steps() const { return warmup_; }
  double peak() const { return peak_; }

 private:
  enum class Shape { kCosine, kSimclr, kConstant, kBitHyper };
  double cosine(std::int64_t step) const;
  double staircase(std::int64_t step) const;

  Shape shape_ = Shape::kCosine;
  double peak_ = 0;
  std::int64_t warmup_ = 0, total_ = 0;
  std::array<std::int64_t, 3> drops_{};  // bit_hyper: /10 after each
};

}  // namespace entrain::schedulers
