#pragma once
#include <string>
#include <vector>

#include "coordinator/supervise/node_probe.hpp"

namespace entrain::supervise {

/// A node that a job should not use, and why, for a person to read.
struct BadNode {
  std::string host{}, why{};
  bool slow = false;  ///< because of its links alone: what else runs may have been in the way
};

struct NodeVerdict {
  std::vector<BadNode> bad{};
  std::vector<std::string> warnings{};  ///< of nodes that stay
  bool no_folder = false;  ///< no node can use the run's folder: the file system is to blame, and no node
};

/// Who is bad. Pure.
/// - A node that cannot write to the run's folder and read it back, unless none can.
/// - A node whose best link is below a third of what most nodes reach with theirs. So both its links are slow; a slow link
///   alone also stands for the other end. A third: cables, switches and what else runs make a factor of two. Of two
///   nodes nobody is blamed: they have one link, and nothing to compare it with.
/// - A node with a bad GPU (gpu_verdict.hpp).
/// A clock that is off by more than a second is warned of: nothing of Entrain's depends on it.
NodeVerdict judge(const std::vector<NodeProbe>& nodes);

/// Of a second look: who was slow in both of them, and whoever is bad for another reason.
NodeVerdict confirmed(const NodeVerdict& first, NodeVerdict second);

/// "1 MiB written and read back in 12 ms at worst, links 2.1 GB/s at worst, clocks within 3 ms": of the nodes that are not
/// bad.
std::string summary(const std::vector<NodeProbe>& nodes, const NodeVerdict& verdict);

}  // namespace entrain::supervise
