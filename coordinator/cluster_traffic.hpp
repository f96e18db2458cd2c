#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/cluster_links.hpp"
#include "coordinator/plan.hpp"

namespace entrain::coordinator {

/// A call of Collectives that a step of pretraining makes, `times` times.
struct StepCall {
  std::string operation;  ///< all_gather_rows | all_to_all | all_reduce_sum_ | all_gather_text
  std::int64_t times = 1;
  double bytes =
      0;  ///< all_gather_rows: of the result; all_to_all: what the busiest rank sends or receives, its own
          ///< part included; else of one rank's buffer
  std::string what;  ///< for people
  Among among = Among::kAll;
};

/// What a step sends on `ranks` ranks, `ranks_per_node` of them on each node (1: as in one level). `fast`: gradients by the
/// library's all-reduce instead of the strict tree.
std::vector<StepCall> step_calls(const RunConfig& config, const Plan& plan, std::int64_t ranks,
                                 std::int64_t ranks_per_node, bool fast);

/// Seconds of one such call.
double call_seconds(const StepCall& call, const Cluster& cluster, std::int64_t ranks);

/// Partial sums that the busiest rank sends in strict mode: maximal aligned subtrees of its lanes.
std::int64_t most_subtrees(std::int64_t lanes, std::int64_t ranks);

}  // namespace entrain::coordinator
