#pragma once
#include <string_view>

#include "configs/reader.hpp"
#include "worker/collectives/collectives.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/device/device.hpp"
#include "worker/models/network.hpp"

namespace entrain::worker {

/// What main() hands to a stage. Same on every rank but for `comm.rank()`.
struct Stage {
  const ResolvedConfig& resolved;
  Collectives& comm;
  Device& device;
  LaneThreads&
      threads;  ///< for what is computed lane by lane; of a GPU, which takes its work from one thread, only one
  LaneThreads& host_threads;  ///< for work on host memory; on a CPU the same
  /// Set once run.dir is this stage's: locked, and nothing in it belongs to another. Only then is its end written there.
  bool owns_run_folder = false;

  const RunConfig& config() const { return resolved.config; }
  bool leads() const { return comm.rank() == 0; }
};

/// Where the networks of this stage live: run.device, run.precision.
Residence residence_of(const Stage& stage);

/// Collective: LaunchError (on all ranks) unless every rank was started with this command and equal settings: names the
/// first that differs, both values and the rank. run.threads may differ, and the paths of data, whose content is
/// compared where they are opened.
void require_same_start(Stage& stage, std::string_view command);

/// LaunchError if there are more ranks than lanes. Not collective: call it inside together().
void require_a_lane_for_every_rank(const Stage& stage);

}  // namespace entrain::worker
