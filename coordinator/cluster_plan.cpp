#include "coordinator/cluster_plan.hpp"

#include <algorithm>

#include "configs/lanes.hpp"
#include "coordinator/cluster_gpus.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kFirstBucket = 1e6, kBucket = 25e6;
constexpr double kBackwardShare = 2.0 / 3;  // of computing: twice the products of the forward pass

bool is_gradients_reduce(const StepCall& call) {
  return call.operation == "all_reduce_sum_" && call.what == "gradients";
}

ClusterRow row_of(const RunConfig& config, const Plan& plan, const ClusterPlan& cluster, std::int64_t ranks,
                  bool fast) {
  ClusterRow row;
  row.ranks = ranks, row.fast = fast;
  const double lane_s = 2 * static_cast<double>(config.batch.lane_images) / cluster.views_per_s;
  const double lanes = static_cast<double>(config.batch.lanes);
  row.compute_s = lane_s * static_cast<double>(lanes_of(0, ranks, config.batch.lanes).count);
  const std::int64_t per_node = cluster.cluster.gpus;
  row.calls = step_calls(config, plan, ranks, ranks % per_node == 0 ? per_node : 1, fast);
  for (const StepCall& call : row.calls) {
    const double seconds = call_seconds(call, cluster.cluster, ranks);
    row.communication_s += seconds;
    // Gradients are whole only in the last lane's backward pass.
    row.exposed_s += is_gradients_reduce(call)
                         ? exposed_reduce_seconds(cluster.cluster, ranks, call.bytes, kBackwardShare * lane_s)
                         : seconds;
  }
  row.step_s = row.compute_s + row.exposed_s;
  row.images_per_s = static_cast<double>(plan.global_batch) / row.step_s;
  row.efficiency = lanes * lane_s / (static_cast<double>(ranks) * row.step_s);
  row.hours = row.step_s * static_cast<double>(plan.total_steps) / 3600;
  row.gpu_hours = row.hours * static_cast<double>(ranks);
  row.cost = row.gpu_hours * cluster.cluster.price_per_gpu_hour;
  return row;
}

// One node, two, four, ..., all of them.
std::vector<std::int64_t> sizes_of(const Cluster& cluster) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t nodes = 1; nodes < cluster.nodes; nodes *= 2) sizes.push_back(nodes * cluster.gpus);
  sizes.push_back(cluster.nodes * cluster.gpus);
  return sizes;
}

}  // namespace

double exposed_reduce_seconds(const Cluster& cluster, std::int64_t ranks, double bytes, double backward_s) {
  double ends = 0;
  for (double sent = 0, bucket = kFirstBucket; sent < bytes; bucket = kBucket) {
    const double size = std::min(bucket, bytes - sent);
    sent += size;
    ends = std::max(ends, backward_s * sent / bytes) + all_reduce_seconds(cluster, ranks, size);
  }
  return std::max(0.0, ends - backward_s);
}

ClusterPlan plan_cluster(const RunConfig& config, const Plan& plan, const Cluster& cluster) {
  ClusterPlan out;
  out.cluster = cluster;
  out.views_per_s = cluster.views_per_s > 0 ? cluster.views_per_s
                                            : assumed_views_per_s(*find_gpu(cluster.gpu),
                                                                  config.run.precision, plan.macs_per_view);
  for (const std::int64_t ranks : sizes_of(cluster)) {
    if (ranks > config.batch.lanes) {
      out.without_lanes.push_back(ranks);
      continue;
    }
    out.rows.push_back(row_of(config, plan, out, ranks, false));
    if (config.batch.lanes % ranks == 0)
      out.rows.push_back(row_of(config, plan, out, ranks, true));
    else
      out.uneven.push_back(ranks);
  }
  return out;
}

}  // namespace entrain::coordinator
