#pragma once
#include <vector>

namespace entrain::worker {

/// Collectives::ranks_per_node, from a number of the node of ranks 0, 1, ...: equal for ranks that share one.
int even_ranks_per_node(const std::vector<int>& node_of_rank);

}  // namespace entrain::worker
