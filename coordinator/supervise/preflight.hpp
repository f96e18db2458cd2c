#pragma once
#include <set>
#include <string>
#include <vector>

#include "configs/run_config.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// The first minute of a batch job, before any rank loads data: nodes that do not start a step are named, and the ranks
/// of the others reduce known numbers. Returns what was seen, for the log.
struct Preflight {
  bool passed = false;
  std::string text{};
  std::set<std::string> lost{};  ///< nodes that do not start a step
};

/// `worker`: path of entrain-worker. Takes up to a minute and a half; outside a job nothing is looked at.
Preflight preflight(const Fleet& fleet, const std::string& launcher, const SlurmSection& slurm,
                    const std::string& worker);

}  // namespace entrain::supervise
