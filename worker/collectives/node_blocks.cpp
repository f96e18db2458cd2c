#include "worker/collectives/node_blocks.hpp"

#include <algorithm>
#include <set>

namespace entrain::worker {

int even_ranks_per_node(const std::vector<int>& node_of_rank) {
  const auto ranks = node_of_rank.size();
  const auto size =
      static_cast<std::size_t>(std::count(node_of_rank.begin(), node_of_rank.end(), node_of_rank.at(0)));
  if (ranks % size != 0) return 1;
  std::set<int> seen;
  for (std::size_t first = 0; first < ranks; first += size) {
    if (!seen.insert(node_of_rank[first]).second) return 1;
    for (std::size_t r = first; r < first + size; ++r)
      if (node_of_rank[r] != node_of_rank[first]) return 1;
  }
  return static_cast<int>(size);
}

}  // namespace entrain::worker
