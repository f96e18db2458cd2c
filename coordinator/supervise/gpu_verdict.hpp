#pragma once
#include <vector>

#include "coordinator/supervise/node_verdict.hpp"

namespace entrain::supervise {

/// Nodes whose GPUs a job should not use. Pure; of nodes without GPUs it says nothing.
/// - A GPU that does not compute, or not the same thing twice, unless no node has one that does.
/// - Errors that ECC could not correct, a critical error (Xid), clocks that the hardware has cut.
/// - A product unlike that of most GPUs of its model. Where no value has a majority nobody is blamed.
/// That the driver keeps clocks low for the heat is warned of.
NodeVerdict judge_gpus(const std::vector<NodeProbe>& nodes);

/// ", 16 GPUs compute the same"; of the nodes that are not bad. Empty: they have none.
std::string gpu_summary(const std::vector<NodeProbe>& nodes, const NodeVerdict& verdict);

}  // namespace entrain::supervise
