#include "coordinator/cluster_ranks.hpp"

#include <algorithm>
#include <set>

#include "configs/cat.hpp"

namespace entrain::coordinator {

std::string scattered_ranks(const std::vector<std::string>& node_of_rank) {
  std::set<std::string> left;  // nodes whose ranks we have passed
  for (std::size_t r = 1; r < node_of_rank.size(); ++r) {
    if (node_of_rank[r] == node_of_rank[r - 1]) continue;
    left.insert(node_of_rank[r - 1]);
    if (left.count(node_of_rank[r]) == 0) continue;
    const auto first = std::find(node_of_rank.begin(), node_of_rank.end(), node_of_rank[r]);
    return cat("ranks ", first - node_of_rank.begin(), " and ", r, " are on node ", node_of_rank[r],
               ", but rank ", r - 1, " is on ", node_of_rank[r - 1],
               ": sums between neighbours cross the network more often than they need to. Start with srun "
               "--distribution=block, or mpirun --map-by slot (or ppr:N:node) --rank-by slot");
  }
  return {};
}

}  // namespace entrain::coordinator
