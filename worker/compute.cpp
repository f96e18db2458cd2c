#include "worker/compute.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/log.hpp"
#include "coordinator/cluster_ranks.hpp"
#include "coordinator/control/supervised.hpp"
#include "worker/stages/gpu_modes.hpp"

namespace entrain::worker {
namespace {

// Cores of this node over ranks of this node, but no more than the launcher bound this rank to: mpirun -n 1 and -n 2
// bind to one core each unless told otherwise.
int threads_of_rank(const RunConfig& config, const MpiCollectives& host) {
  if (config.run.threads > 0) return static_cast<int>(config.run.threads);
  const int share = std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) / host.local_size());
  cpu_set_t mine;
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) >= share) return share;
  log(Level::kWarning, cat("the launcher bound this rank to ", CPU_COUNT(&mine), " of the ", share,
                           " cores that are its share; mpirun --bind-to none gives it all of them"));
  return CPU_COUNT(&mine);
}

// A collective may wait as long as a step may: what `entrain run` would call a hang ends here with an error that says where.
NcclLimits limits_of(const FaultSection& fault) {
  NcclLimits limits;
  if (fault.step != "auto") limits.collective_seconds = parse_duration(fault.step);
  return limits;
}

void tell_scattered_ranks(MpiCollectives& host) {
  const auto nodes = host.all_gather_text(control::node_name());
  const std::string what = coordinator::scattered_ranks(nodes);
  if (host.rank() == 0 && !what.empty()) log(Level::kWarning, what);
}

}  // namespace

Compute::Compute(const RunConfig& config, MpiCollectives& host)
    : host_(host), device_(open_device(config.run.device, host)) {
  tell_scattered_ranks(host);
  host_threads_.emplace(threads_of_rank(config, host));
  if (!device_->is_gpu()) return;
  set_gpu_modes(config.run.numerics == "strict");
  nccl_ = make_nccl_collectives(*device_, host, limits_of(config.fault));
  gpu_thread_.emplace(1);
  log(Level::kInfo,
      cat("computes on ", device_->facts().name, ", ", device_->facts().memory_bytes >> 30, " GiB"));
}

Collectives& Compute::collectives() {
  if (nccl_) return *nccl_;
  return host_;
}

}  // namespace entrain::worker
