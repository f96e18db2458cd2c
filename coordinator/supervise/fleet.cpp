#include "coordinator/supervise/fleet.hpp"

#include <algorithm>

namespace entrain::supervise {

Placement place(const Fleet& fleet, const std::set<std::string>& out) {
  Placement placed;
  for (const auto& node : fleet.nodes)
    if (static_cast<int>(placed.nodes.size()) < fleet.nodes_wanted && out.count(node) == 0)
      placed.nodes.push_back(node);
  const int nodes = static_cast<int>(placed.nodes.size());
  placed.ranks = std::min(nodes * fleet.ranks_per_node, fleet.max_ranks);
  if (placed.ranks < fleet.min_ranks || placed.ranks == 0) return {};
  placed.ranks_per_node = (placed.ranks + nodes - 1) / nodes;
  return placed;
}

}  // namespace entrain::supervise
