#pragma once
#include <set>
#include <string>
#include <vector>

namespace entrain::supervise {

/// The nodes that ranks may be started on; outside a batch job one, this machine, with an empty name.
struct Fleet {
  std::vector<std::string>
      nodes{};  ///< in the order of the network; the last `spares` are used once others are gone
  int ranks_per_node = 1;
  int nodes_wanted = 1;  ///< the rest are spares
  int min_ranks = 1;
  int max_ranks = 1;  ///< lanes of the global batch: one rank per lane at most
};

/// Where the next generation starts.
struct Placement {
  std::vector<std::string> nodes{};
  int ranks = 0;           ///< over all nodes, as evenly as they go
  int ranks_per_node = 0;  ///< on the fullest
};

/// The first wanted nodes that are not out; fewer where there are no more. ranks 0: less than min_ranks are left.
Placement place(const Fleet& fleet, const std::set<std::string>& out);

}  // namespace entrain::supervise
