#include "coordinator/supervise/phase_limits.hpp"

#include <algorithm>

#include "configs/duration.hpp"

namespace entrain::supervise {
namespace {

using control::Phase;

constexpr double kTimesLongest = 5;  // as a safety factor; NVRx uses the same for its own limits
constexpr double kTimesStep = 2;     // where the long stays of a step have not been seen yet
// File systems and networks stall for so long without anybody being at fault.
constexpr double kShortestStep = 30, kShortestCommit = 60, kShortestSetup = 120, kShortestHello = 60;

double learned(double longest, double shortest, double most) {
  return longest == 0 ? most : std::min(most, std::max(shortest, kTimesLongest * longest));
}

}  // namespace

Patience patience_of(const FaultSection& fault) {
  Patience patience;
  patience.suspect = parse_duration(fault.suspect);
  patience.dead = parse_duration(fault.dead);
  patience.setup = parse_duration(fault.setup);
  patience.step = fault.step == "auto" ? 0 : parse_duration(fault.step);
  patience.commit = parse_duration(fault.commit);
  return patience;
}

void PhaseLimits::left(Phase phase, double seconds) {
  if (phase != Phase::kSetup) longest(phase) = std::max(longest(phase), seconds);
}

void PhaseLimits::finished_step(double seconds) { slowest_step_ = std::max(slowest_step_, seconds); }

void PhaseLimits::began_to_train(double seconds) {
  longest(Phase::kSetup) = std::max(longest(Phase::kSetup), seconds);
}

double PhaseLimits::hello_limit() const {
  return std::min(patience_.setup, learned(longest_hello_, kShortestHello, patience_.hello));
}

double PhaseLimits::limit(Phase phase) const {
  switch (phase) {
    case Phase::kSetup:
      return learned(longest(phase), kShortestSetup, patience_.setup);
    case Phase::kCommit:
      return learned(longest(phase), kShortestCommit, patience_.commit);
    case Phase::kDone:
      return patience_.commit;
    default:
      if (patience_.step > 0) return patience_.step;
      return std::max({kShortestStep, kTimesLongest * longest(phase), kTimesStep * slowest_step_});
  }
}

}  // namespace entrain::supervise
