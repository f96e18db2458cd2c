#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// `entrain-worker versions`: one line of JSON, what this program was built with and sees; for `entrain doctor`.
int versions_command();

/// `entrain-worker preflight [RUN_DIR [DEVICE]]`, as one rank of several: reduces known numbers over all ranks and compares.
/// With a folder each node also writes to it and reads back, and clocks and links of the nodes are measured; with a run.device
/// that means GPUs, each rank tries its own. Rank 0 prints one line
/// of JSON: world, megabytes, seconds, and nodes (coordinator/supervise/node_probe.hpp). CommError where the sum is wrong.
int preflight_command(const std::vector<std::string>& args);

}  // namespace entrain::worker
