#include "coordinator/cluster_traffic.hpp"

#include <algorithm>

#include "configs/lanes.hpp"
#include "configs/model_shapes.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kFloat = 4, kDouble = 8, kLong = 8;

std::int64_t num_subtrees(LaneBlock block) {
  std::int64_t trees = 0;
  for (std::int64_t first = block.first; first < block.first + block.count; ++trees) {
    std::int64_t lanes = 1;
    while (first % (2 * lanes) == 0 && first + 2 * lanes <= block.first + block.count) lanes *= 2;
    first += lanes;
  }
  return trees;
}

// A rank sends its partial sums of everything, and receives those of all ranks for its own chunk.
double all_to_all_bytes(double gradient_bytes, std::int64_t lanes, std::int64_t ranks) {
  std::int64_t all = 0;
  for (std::int64_t r = 0; r < ranks; ++r) all += num_subtrees(lanes_of(r, ranks, lanes));
  return gradient_bytes * std::max(static_cast<double>(most_subtrees(lanes, ranks)),
                                   static_cast<double>(all) / static_cast<double>(ranks));
}

}  // namespace

std::int64_t most_subtrees(std::int64_t lanes, std::int64_t ranks) {
  std::int64_t most = 0;
  for (std::int64_t r = 0; r < ranks; ++r) most = std::max(most, num_subtrees(lanes_of(r, ranks, lanes)));
  return most;
}

// As worker/stages/pretrain.cpp calls them, in that order.
std::vector<StepCall> step_calls(const RunConfig& config, const Plan& plan, std::int64_t ranks, bool fast) {
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
    calls.push_back({"all_to_all", 1, all_to_all_bytes(gradient, config.batch.lanes, ranks),
                     "gradients, to who finishes the tree"});
    calls.push_back({"all_gather_rows", 1, gradient, "gradients, finished"});
  }
  calls.push_back({"all_reduce_sum_", 1, kLong, "stop or commit"});
  return calls;
}

double call_seconds(const StepCall& call, const Cluster& cluster, std::int64_t ranks) {
  const auto times = static_cast<double>(call.times);
  if (call.operation == "all_gather_rows") return times * all_gather_seconds(cluster, ranks, call.bytes);
  if (call.operation == "all_to_all") return times * all_to_all_seconds(cluster, ranks, call.bytes);
  return times * all_reduce_seconds(cluster, ranks, call.bytes);  // a word to all is as far as a sum of words
}

}  // namespace entrain::coordinator
