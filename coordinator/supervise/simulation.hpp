#pragma once
#include <cstdint>
#include <map>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "coordinator/supervise/supervisor.hpp"

namespace entrain::supervise {

/// What may go wrong, for `entrain plan --simulate`. Mean times are between failures of one node or one rank; 0: never.
struct FaultModel {
  double node_hours = 0;        ///< a node is gone: its ranks fall silent
  double rank_hours = 0;        ///< a rank's process dies; the launcher sees it and ends the others
  double hang_hours = 0;        ///< a rank is alive but does nothing any more
  double supervisor_hours = 0;  ///< the supervisor itself dies and is started again
  double beat_loss = 0;         ///< share of heartbeats that never arrive
  double beat_delay =
      0;  ///< each heartbeat comes late by up to so many seconds, so that some overtake others
  double beat_twice = 0;        ///< share of heartbeats that arrive twice
  double commit_fails = 0;      ///< share of commits that fail (a full disk, a torn file)
  double kill_seconds = 3;      ///< from the decision to the end of the step
  double setup_seconds = 20;    ///< from launch to the first step
  double restart_seconds = 10;  ///< of a supervisor
};

struct SimulatedRun {
  SupervisorSettings settings{};
  FaultModel faults{};
  double step_seconds = 1;
  std::int64_t total_steps = 1000;
  double commit_every = 120, commit_seconds = 5;
  double horizon = 1e9;  ///< seconds after which it is given up
  std::uint64_t seed = 0;
};

struct SimulatedEnd {
  int code = -1;  ///< of finish(); -1: the horizon came first
  std::string reason{};
  double seconds = 0, goodput = 0;  ///< share of the time that went into steps that counted
  std::int64_t committed = 0, steps_computed = 0;
  int launches = 0, failures = 0, supervisor_restarts = 0;
  double longest_detection = 0;         ///< from a fault to the decision to end the generation
  double longest_recovery = 0;          ///< from a fault to the next training step
  std::vector<std::string> violated{};  ///< what must never happen, and did
  std::vector<std::string> events{};    ///< kind and text with the time in front, the newest 1,000
};

/// The production supervisor over a virtual clock, network and cluster. The same seed gives the same run.
SimulatedEnd simulate(const SimulatedRun& run);

}  // namespace entrain::supervise
