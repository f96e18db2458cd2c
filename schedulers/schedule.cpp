#include "schedulers/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::schedulers {
namespace {

// Warm-up end, three drops, end.
using Rule = std::array<std::int64_t, 5>;

Rule bit_rule(std::int64_t num_samples) {
  if (num_samples < 20'000) return {100, 200, 300, 400, 500};
  if (num_samples < 500'000) return {500, 3'000, 6'000, 9'000, 10'000};
  return {500, 6'000, 12'000, 18'000, 20'000};
}

double scaled(const std::string& scaling, double lr, std::int64_t global_batch) {
  const auto batch = static_cast<double>(global_batch);
  if (scaling == "linear") return lr * batch / 256;
  if (scaling == "sqrt") return lr * std::sqrt(batch);
  if (scaling == "none") return lr;
  throw ConfigError(cat("schedule.scaling: want linear, sqrt or none, got \"", scaling, '"'));
}

// SimCLR's int(round(warmup_epochs * N // B)): the floor comes before the round.
std::int64_t warmup_of(const ScheduleSection& schedule, std::int64_t global_batch, std::int64_t num_samples) {
  if (schedule.warmup_steps >= 0) return schedule.warmup_steps;
  return static_cast<std::int64_t>(std::floor(schedule.warmup_epochs * static_cast<double>(num_samples) /
                                              static_cast<double>(global_batch)));
}

}  // namespace

std::int64_t total_steps(const TrainSection& train, const ScheduleSection& schedule, std::int64_t num_samples,
                         std::int64_t global_batch) {
  if (train.steps > 0) return train.steps;
  if (train.epochs <= 0) return schedule.name == "bit_hyper" ? bit_rule(num_samples)[4] : 0;
  const double steps = train.epochs * static_cast<double>(num_samples) / static_cast<double>(global_batch);
  return static_cast<std::int64_t>(schedule.name == "simclr" ? std::floor(steps) + 1 : std::ceil(steps));
}

std::int64_t total_steps(const TrainSection& train, std::int64_t num_samples, std::int64_t global_batch) {
  return total_steps(train, ScheduleSection{}, num_samples, global_batch);
}

Schedule::Schedule(const ScheduleSection& schedule, double base_lr, std::int64_t global_batch,
                   std::int64_t num_samples, std::int64_t total_steps)
    : peak_(scaled(schedule.scaling, base_lr, global_batch)),
      warmup_(warmup_of(schedule, global_batch, num_samples)),
      total_(total_steps) {
  if (total_steps < 1) throw ConfigError("train: want train.steps or train.epochs above 0, got neither");
  if (schedule.name == "cosine")
    shape_ = Shape::kCosine;
  else if (schedule.name == "simclr")
    shape_ = Shape::kSimclr;
  else if (schedule.name == "constant")
    shape_ = Shape::kConstant;
  else if (schedule.name == "bit_hyper")
    shape_ = Shape::kBitHyper;
  else
    throw ConfigError(
        cat("schedule.name: want cosine, simclr, constant or bit_hyper, got \"", schedule.name, '"'));
  if (shape_ != Shape::kBitHyper) return;
  const Rule rule = bit_rule(num_samples);
  warmup_ = rule[0] * total_ / rule[4];
  for (std::size_t i = 0; i < drops_.size(); ++i) drops_[i] = rule[i + 1] * total_ / rule[4];
}

double Schedule::value(std::int64_t step) const {
  const bool from_zero = shape_ == Shape::kSimclr || shape_ == Shape::kBitHyper;
  if (step < warmup_)
    return peak_ * static_cast<double>(step + (from_zero ? 0 : 1)) / static_cast<double>(warmup_);
  switch (shape_) {
    case Shape::kConstant:
      return peak_;
    case Shape::kBitHyper:
      return staircase(step);
    case Shape::kCosine:
    case Shape::kSimclr:
      break;
  }
  return cosine(step);
}

double Schedule::cosine(std::int64_t step) const {
  const auto length = static_cast<double>(std::max<std::int64_t>(total_ - warmup_, 1));
  const double done = std::min(1.0, static_cast<double>(step - warmup_) / length);
  return peak_ * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

double Schedule::staircase(std::int64_t step) const {
  double value = peak_;
  for (const std::int64_t drop : drops_)
    if (drop < step) value /= 10;
  return value;
}

}  // namespace entrain::schedulers
