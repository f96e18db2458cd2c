#pragma once
#include <memory>
#include <optional>

#include "configs/run_config.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/collectives/nccl.hpp"
#include "worker/device/device.hpp"

namespace entrain::worker {

/// What a rank computes with: its device (run.device), NCCL beside MPI where that is a GPU, its threads (run.threads).
/// Collective; throws LaunchError and CommError as open_device and make_nccl_collectives do.
class Compute {
 public:
  /// `host` must outlive it.
  Compute(const RunConfig& config, MpiCollectives& host);

  Device& device() { return *device_; }
  Collectives& collectives();
  /// For lanes: of a GPU, which takes its work from one thread, only the caller.
  LaneThreads& lane_threads() { return gpu_thread_ ? *gpu_thread_ : *host_threads_; }
  LaneThreads& host_threads() { return *host_threads_; }

 private:
  MpiCollectives& host_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<NcclCollectives> nccl_;
  std::optional<LaneThreads> host_threads_, gpu_thread_;
};

}  // namespace entrain::worker
