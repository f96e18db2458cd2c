#pragma once
#include <string>
#include <vector>

namespace entrain::worker {

/// `entrain bench loader ...` (loader_bench.hpp), or `entrain bench collectives [--json] [--seconds N]`: what the network under these ranks costs, and how far that is
/// from a latency and a bandwidth. ConfigError on words it does not know, LaunchError on a single rank.
int bench_command(const std::vector<std::string>& args);

}  // namespace entrain::worker
