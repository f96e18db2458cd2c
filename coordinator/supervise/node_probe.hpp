#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/supervise/gpu_probe.hpp"

namespace entrain::supervise {

/// What the ranks of a preflight measured of one node.
struct NodeProbe {
  std::string host{};
  double write_seconds = 0;               ///< for a file in the run's folder, written, synced and read back
  std::string write_error{};              ///< why it was not; empty: it was
  double skew_seconds = 0;                ///< its wall clock less that of the first node
  std::map<std::string, double> links{};  ///< MB/s to its neighbours in the ring of nodes
  double inside_megabytes_per_s = 0;      ///< between two of its ranks; 0: it has one
  std::vector<GpuProbe> gpus{};           ///< one for each rank; none where ranks compute on CPUs
};

/// {"host", "write_seconds", "write_error", "skew_seconds", "megabytes_per_s": {neighbour: rate}, "inside_megabytes_per_s",
/// "gpus": [..]}, the last only where there are any.
nlohmann::json json_of(const NodeProbe& node);
/// What is missing or of another type is as in a NodeProbe of nothing.
NodeProbe node_probe_of(const nlohmann::json& json);

/// The links of a ring of nodes, in rounds: in each round no node has more than one, so that all of its links are timed
/// at once. Two rounds; three where the number of nodes is odd; one link for two nodes.
std::vector<std::vector<std::pair<int, int>>> ring_rounds(int nodes);

}  // namespace entrain::supervise
