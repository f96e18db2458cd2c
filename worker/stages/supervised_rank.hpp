#pragma once
#include <optional>
#include <string>

#include "coordinator/control/client.hpp"
#include "coordinator/control/heartbeat.hpp"
#include "coordinator/control/supervised.hpp"
#include "worker/collectives/mpi.hpp"

namespace entrain::worker {

/// This rank's part in the control plane, where a supervisor has started it: what it does is noted in memory that the ranks
/// of its node share, and the lowest of them tells it to the supervisor once a second. Collective to make; its end is
/// before that of `comm`.
class SupervisedRank {
 public:
  SupervisedRank(const control::Supervised& who, const std::string& run_dir, MpiCollectives& comm);
  ~SupervisedRank();
  SupervisedRank(const SupervisedRank&) = delete;
  SupervisedRank& operator=(const SupervisedRank&) = delete;

  /// The GPU that this rank computes on: the supervisor is told how it is doing.
  void watch_gpu(const std::string& uuid) { heartbeat_->watch_gpu(uuid); }
  /// How this rank ends.
  void bye(int code, const std::string& reason);

 private:
  control::ProgressBoard board_;
  std::optional<control::Heartbeat> heartbeat_;
  std::optional<control::ControlClient> client_;  // of the node's lowest rank
};

}  // namespace entrain::worker
