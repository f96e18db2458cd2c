#include "coordinator/cluster_traffic.hpp"

#include <algorithm>

#include "configs/lane_subtrees.hpp"
#include "configs/model_shapes.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kFloat = 4, kDouble = 8, kLong = 8;

std::int64_t num_subtrees(LaneBlock block) { return static_cast<std::int64_t>(subtrees_of(block).size()); }

// Lanes of `count` ranks side by side, the `group`th such group.
LaneBlock lanes_of_group(std::int64_t group, std::int64_t count, std::int64_t ranks, std::int64_t lanes) {
  const LaneBlock first = lanes_of(group * count, ranks, lanes),
                  last = lanes_of(group * count + count - 1, ranks, lanes);
  return {first.first, last.first + last.count - first.first};
}

std::int64_t most_subtrees_of_groups(std::int64_t count, std::int64_t ranks, std::int64_t lanes) {
  std::int64_t most = 0;
  for (std::int64_t group = 0; group < ranks / count; ++group)
    most = std::max(most, num_subtrees(lanes_of_group(group, count, ranks, lanes)));
  return most;
}

// `peers` groups of `count` ranks exchange `bytes` of each sum: one sends its sums of everything, and receives those of
// all for its own part. The busiest.
double exchange_bytes(double bytes, std::int64_t peers, std::int64_t count, std::int64_t ranks,
                      std::int64_t lanes) {
  double most = 0;
  for (std::int64_t first = 0; first < ranks / count; first += peers) {
    std::int64_t all = 0;
    for (std::int64_t group = first; group < first + peers; ++group)
      all += num_subtrees(lanes_of_group(group, count, ranks, lanes));
    most = std::max(most, static_cast<double>(all) / static_cast<double>(peers));
  }
  return bytes * std::max(most, static_cast<double>(most_subtrees_of_groups(count, ranks, lanes)));
}

// As worker/collectives/finish_tree.cpp sends them.
std::vector<StepCall> tree_calls(double gradient, std::int64_t ranks, std::int64_t per_node,
                                 std::int64_t lanes) {
  if (per_node == 1 || per_node >= ranks)
    return {{"all_to_all", 1, exchange_bytes(gradient, ranks, 1, ranks, lanes),
             "gradients, to who finishes the tree"}};
  return {{"all_to_all", 1, exchange_bytes(gradient, per_node, 1, ranks, lanes),
           "gradients, inside each node", Among::kNode},
          {"all_to_all", 1,
           exchange_bytes(gradient / static_cast<double>(per_node), ranks / per_node, per_node, ranks, lanes),
           "a node's gradients, to who finishes the tree", Among::kAcross}};
}

}  // namespace

std::int64_t most_subtrees(std::int64_t lanes, std::int64_t ranks) {
  return most_subtrees_of_groups(1, ranks, lanes);
}

// As worker/stages/pretrain.cpp calls them, in that order.
std::vector<StepCall> step_calls(const RunConfig& config, const Plan& plan, std::int64_t ranks,
                                 std::int64_t ranks_per_node, bool fast) {
  const auto lanes = static_cast<double>(config.batch.lanes),
             rows = 2 * static_cast<double>(plan.global_batch);
  const BitArchitecture arch = bit_architecture(config.model.name, plan.input.image.channels);
  std::vector<StepCall> calls{{"all_gather_text", 1, 0, "has every rank its images"}};
  for (const TensorSpec& tensor : projection_head_tensors(config.model, arch.feature_width()))
    if (tensor.shape.size() == 2)
      calls.push_back({"all_gather_rows", 2, lanes * 2 * kFloat * static_cast<double>(tensor.shape[0]),
                       "BatchNorm sums, forward and back"});
  calls.push_back({"all_gather_rows", 1, rows * kFloat * static_cast<double>(config.model.head_dim), "z"});
  if (config.batch.same_group == "mask") calls.push_back({"all_gather_rows", 1, rows * kLong, "groups"});
  calls.push_back({"all_gather_rows", 1, rows * 3 * kDouble, "log-sum-exp"});
  const double gradient = kFloat * static_cast<double>(plan.encoder_parameters + plan.head_parameters);
  if (fast) {
    calls.push_back({"all_reduce_sum_", 1, gradient, "gradients"});
  } else {
    const auto tree = tree_calls(gradient, ranks, ranks_per_node, config.batch.lanes);
    calls.insert(calls.end(), tree.begin(), tree.end());
    calls.push_back({"all_gather_rows", 1, gradient, "gradients, finished"});
  }
  calls.push_back({"all_reduce_sum_", 1, kLong, "stop or commit"});
  return calls;
}

double call_seconds(const StepCall& call, const Cluster& cluster, std::int64_t ranks) {
  const auto times = static_cast<double>(call.times);
  if (call.operation == "all_gather_rows") return times * all_gather_seconds(cluster, ranks, call.bytes);
  if (call.operation == "all_to_all")
    return times * all_to_all_seconds(cluster, ranks, call.bytes, call.among);
  return times * all_reduce_seconds(cluster, ranks, call.bytes);  // a word to all is as far as a sum of words
}

}  // namespace entrain::coordinator
