#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "coordinator/supervise/fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "coordinator/supervise/node_probe.hpp"

namespace entrain::supervise {

/// What one step of `entrain-worker preflight` over all ranks came to: an answer, or else why there is none.
struct Look {
  nlohmann::json answer{};         ///< as the worker prints it
  std::vector<NodeProbe> nodes{};  ///< of that
  std::string complaint{};         ///< one line; empty: it answered
  std::set<std::string> lost{};    ///< without an answer: nodes of `fleet` that are gone since
  bool stopped = false;            ///< without an answer: the step or the job was asked to end
};

/// Starts the step and waits for a minute at most. As long as it does not answer Slurm is asked for nodes that are down, and
/// each node is tried alone: a node that died ends the wait for it, as does `stop`.
Look look_at(const Fleet& fleet, const Placement& placement, const Launch& launch,
             const std::stop_token& stop);

}  // namespace entrain::supervise
