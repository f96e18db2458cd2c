#pragma once
#include <memory>
#include <string>

#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

class Device;
class MpiCollectives;

struct NcclLimits {
  double init_seconds = 120;        ///< until all ranks have joined
  double collective_seconds = 600;  ///< until a collective that was begun is done on this rank
};

/// The ranks of MPI_COMM_WORLD: tensors of the device go by NCCL on a stream of its own, host tensors, text, votes and the
/// barrier by MPI. A call returns when its work is in order: what is computed afterwards sees the result, and the host has
/// not waited. A watcher thread looks at NCCL's errors and at the deadlines, so that a fault becomes a CommError here
/// within them, also where the host waits for the device inside LibTorch.
class NcclCollectives : public Collectives {
 public:
  /// CommError(reason) after abort(), an error of NCCL's, or a deadline. For loops that wait: Device::synchronize.
  virtual void check() = 0;

  /// part := sum over ranks, begun behind what was computed so far and beside what is computed until finish_sums().
  /// Until then nobody touches `part`. Parts in the same order and sizes on every rank.
  virtual void start_all_reduce_sum_(const at::Tensor& part) = 0;
  /// What is computed afterwards sees all sums that were started.
  virtual void finish_sums() = 0;
};

/// NCCL that this program is built with, "2.29.7"; empty: none.
std::string built_nccl();

/// Collective. LaunchError where this build has no NCCL, or header, library and LibTorch are of different versions;
/// CommError where the ranks do not find together in time. `device` and `host` must outlive it.
std::unique_ptr<NcclCollectives> make_nccl_collectives(const Device& device, MpiCollectives& host,
                                                       const NcclLimits& limits = {});

}  // namespace entrain::worker
