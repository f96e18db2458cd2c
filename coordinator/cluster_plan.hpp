#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "coordinator/cluster_traffic.hpp"

namespace entrain::coordinator {

/// A run on so many GPUs, predicted.
struct ClusterRow {
  std::int64_t ranks = 1;
  bool fast = false;           ///< numerics
  double compute_s = 0;        ///< of a step, on the rank with the most lanes
  double communication_s = 0;  ///< of a step, if nothing hid it
  double exposed_s = 0;        ///< what is left of it beside computing
  double step_s = 0, images_per_s = 0;
  double efficiency = 0;  ///< against one GPU that does all lanes and talks to nobody
  double hours = 0, gpu_hours = 0, cost = 0;
  std::vector<StepCall> calls{};
};

struct ClusterPlan {
  Cluster cluster;
  double views_per_s = 0;                     ///< of one GPU
  std::vector<ClusterRow> rows{};             ///< one node, two, four, ..., all of them; strict and fast
  std::vector<std::int64_t> without_lanes{};  ///< so many GPUs cannot be used: a rank needs a lane
  std::vector<std::int64_t> uneven{};         ///< numerics fast needs equal shares
};

/// Pure: the same batch as configured on any number of GPUs.
ClusterPlan plan_cluster(const RunConfig& config, const Plan& plan, const Cluster& cluster);

/// Seconds of an all-reduce of the gradients that is not hidden behind the backward pass of `backward_s`: in buckets of
/// 1 MB and then 25 MB, each of which begins when its gradients are there (evenly over the pass) and the one before it
/// has ended.
double exposed_reduce_seconds(const Cluster& cluster, std::int64_t ranks, double bytes, double backward_s);

/// A table with all assumptions, and the same for machines.
std::string cluster_text(const ClusterPlan& plan, const Plan& run, const RunConfig& config);
nlohmann::ordered_json cluster_json(const ClusterPlan& plan);

}  // namespace entrain::coordinator
