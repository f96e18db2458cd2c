#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "configs/run_config.hpp"
#include "coordinator/control/beat.hpp"

namespace entrain::supervise {

/// How long is too long, in seconds (configs: FaultSection).
struct Patience {
  double suspect = 3, dead = 10;  ///< without a heartbeat
  double hello = 120;             ///< from launch until all ranks have spoken
  double setup = 900;             ///< from there to the first step
  double step = 0;                ///< in one phase of a step; 0: from the steps seen
  double commit = 300;
};

/// Of the configuration; its durations are valid.
Patience patience_of(const FaultSection& fault);

/// How long a rank may stay in one phase: what is configured, and once the phase was seen to end, several times the
/// longest stay, never more than is configured. Survives the generation in which it was learned.
class PhaseLimits {
 public:
  explicit PhaseLimits(const Patience& patience) : patience_(patience) {}

  /// A rank left the phase after so many seconds.
  void left(control::Phase phase, double seconds);
  void finished_step(double seconds);
  /// So long a generation took from launch until all of its ranks had spoken.
  void came_up(double seconds) { longest_hello_ = std::max({longest_hello_, seconds, 0.001}); }
  /// The same, to the end of its first step.
  void began_to_train(double seconds);

  double limit(control::Phase phase) const;
  /// From launch until all ranks have spoken.
  double hello_limit() const;

 private:
  double& longest(control::Phase phase) { return longest_[static_cast<std::size_t>(phase)]; }
  double longest(control::Phase phase) const { return longest_[static_cast<std::size_t>(phase)]; }

  Patience patience_;
  std::array<double, static_cast<std::size_t>(control::Phase::kDone) + 1> longest_{};  // 0: not seen yet
  double slowest_step_ = 0, longest_hello_ = 0;  // alike
};

}  // namespace entrain::supervise
