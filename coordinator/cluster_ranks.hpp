#pragma once
#include <string>
#include <vector>

namespace entrain::coordinator {

/// Whether the ranks of each node follow one another, from the node names of ranks 0, 1, ...: neighbours in the tree of
/// strict numerics, and in a ring, are then mostly on one node. Empty where they do; else one sentence that names the
/// first node whose ranks do not, and what to start with.
std::string scattered_ranks(const std::vector<std::string>& node_of_rank);

}  // namespace entrain::coordinator
