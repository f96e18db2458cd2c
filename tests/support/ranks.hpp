#pragma once
#include <functional>

#include "worker/collectives/collectives.hpp"

namespace entrain::tests {

/// Runs `body` once per rank, each in a thread of its own, over collectives in memory. A rank that throws
/// wakes the others (their calls throw CommError); the first exception is rethrown when all have ended.
void run_ranks(int num_ranks, const std::function<void(worker::Collectives&)>& body, int ranks_per_node = 1);

}  // namespace entrain::tests
