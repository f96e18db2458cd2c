#pragma once
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "configs/error.hpp"
#include "configs/run_config.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// The first minute of a batch job, before any rank loads data. What was seen, for the log, and who is left out.
struct Preflight {
  /// kDone, or that with which the job ends: kPreflight, kCheckpoint; kComm: too many nodes are gone; kRequeue: it was asked
  /// to end meanwhile, or Slurm has ended the step or ends the job, by which it asks for the same.
  ExitCode code = ExitCode::kDone;
  std::string text{};                   ///< one line; why, where the job ends
  std::vector<std::string> warnings{};  ///< one line each
  std::set<std::string> lost{};         ///< nodes that start no step, or are bad (node_verdict.hpp)
};

/// Nodes that do not start a step are named. On all others, spares too, the ranks reduce known numbers, every node writes
/// to the run's folder and reads it back, clocks and links are compared, and each rank tries its GPU where it computes on
/// one. Where a node dies meanwhile, the others are looked at again. Bad and dead nodes are noted in RUN/bad_nodes.json.
/// `worker`: path of entrain-worker; `device`: run.device. Takes some seconds, some minutes at most; outside a job nothing is
/// looked at. Ends early once `stop` is requested.
Preflight preflight(const Fleet& fleet, const std::string& launcher, const SlurmSection& slurm,
                    const std::string& worker, const std::string& run_dir, const std::string& device,
                    const std::stop_token& stop = {});

}  // namespace entrain::supervise
