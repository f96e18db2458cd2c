#pragma once
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

/// The production supervisor over a virtual clock, on the nodes of section slurm; with `runs` seeds. ConfigError: the
/// plan has no throughput (--throughput), so steps have no length.
std::string simulation_text(const Plan& plan, const RunConfig& config, const SimulationRequest& request);

}  // namespace entrain::coordinator
