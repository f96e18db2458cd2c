#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/plan.hpp"
#include "coordinator/supervise/simulation.hpp"

namespace entrain::coordinator {

/// `plan --simulate FAULTS.yaml`: section `faults` of that file, keys as in supervise::FaultModel, besides
/// `commit_seconds` and `runs`. ConfigError as for a configuration.
struct SimulationRequest {
  supervise::FaultModel faults{};
  double commit_seconds = 0;  ///< 0: the checkpoint's bytes at 200 MB/s
  int runs = 100;             ///< seeds
};
SimulationRequest read_simulation(const std::string& path);

/// What came of it, over all seeds. Times in seconds.
struct Simulation {
  int runs = 0;
  std::int64_t nodes = 0, ranks_per_node = 0, spares = 0;
  double commit_every = 0, commit_seconds = 0;
  double failures = 0;                                 ///< per run
  double goodput_median = 0, goodput_low = 0;          ///< shares; low: the 5th percentile
  double seconds_median = 0, seconds_high = 0;         ///< high: the 95th percentile
  double without_faults = 0;                           ///< seconds
  double longest_detection = 0, longest_recovery = 0;  ///< of all runs; 0: there was none
  std::map<int, int> codes{};                          ///< exit code -> how many runs; 0: done
};

/// The production supervisor over a virtual clock, on the nodes of section slurm; with `runs` seeds. ConfigError: the
/// plan has no throughput (--throughput), so steps have no length; more ranks than lanes.
Simulation simulate_plan(const Plan& plan, const RunConfig& config, const SimulationRequest& request);

std::string simulation_text(const Simulation& simulation);
nlohmann::ordered_json simulation_json(const Simulation& simulation);

}  // namespace entrain::coordinator
