#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// Ranks by node, in the order in which nodes come first.
struct NodeRanks {
  std::string name{};
  std::vector<int> ranks{};
};
/// `names`: of each rank's node.
std::vector<NodeRanks> by_node(const std::vector<std::string>& names);

/// A barrier whose waiting ranks sleep: they take nothing from a rank of the same processor that is being timed.
void wait_for_all();

/// On rank 0, for each of these ranks: its wall clock less that of rank 0, seconds, by the best of some round trips. Elsewhere
/// zeros. Collective.
std::vector<double> clock_offsets(const std::vector<int>& leaders);

/// MB/s between two ranks, one way at a time, host buffers; both call it. 0 on `second`, which only answers.
double time_link(int first, int second);

}  // namespace entrain::worker
