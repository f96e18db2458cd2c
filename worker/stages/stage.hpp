#pragma once
#include "configs/reader.hpp"
#include "worker/collectives/collectives.hpp"
#include "worker/collectives/lane_threads.hpp"

namespace entrain::worker {

/// What main() hands to a stage. Same on every rank but for `comm.rank()`.
struct Stage {
  const ResolvedConfig& resolved;
  Collectives& comm;
  LaneThreads& threads;

  const RunConfig& config() const { return resolved.config; }
  bool leads() const { return comm.rank() == 0; }
};

/// LaunchError if there are more ranks than lanes. Not collective: call it inside together().
void require_a_lane_for_every_rank(const Stage& stage);

}  // namespace entrain::worker
