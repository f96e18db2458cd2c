#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/run_lock.hpp"
#include "checkpoint/store.hpp"
#include "configs/reader.hpp"
#include "worker/collectives/collectives.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// Checkpoint files see plain views of CPU tensors; the tensors must stay alive and unchanged meanwhile.
std::vector<checkpoint::TensorView> views_of(const std::vector<NamedTensor>& tensors);
/// Copies every named tensor out of a checkpoint; CheckpointError names what is missing or has another shape.
void load_tensors(const checkpoint::CheckpointReader& reader, const std::vector<NamedTensor>& into);

/// Two-phase commits of one run over all ranks: every rank writes its shard and votes, rank 0 writes the
/// manifest and renames, all ranks learn the outcome.
class Committer {
 public:
  /// Collective. Makes run_dir, takes its lock and sweeps leftovers on rank 0.
  Committer(std::string run_dir, const CheckpointSection& config, Collectives& comm);

  /// Collective: finds the newest whole checkpoint on rank 0 and tells all which it is and why newer ones
  /// were passed over. Nothing: a fresh start. With resume = never and one there: CheckpointError.
  std::optional<checkpoint::Found> newest();

  /// Collective. Throws CheckpointError (on_all_ranks) where a shard or the manifest could not be written;
  /// the temporary folder is gone then and older checkpoints are untouched.
  void commit(std::int64_t step, const std::vector<NamedTensor>& tensors, const nlohmann::json& facts);

  /// Whether a commit is due after this step: by count, or by time as rank 0 sees it (let all ranks agree).
  bool due(std::int64_t step) const;
  std::int64_t last_step() const { return last_step_; }

 private:
  std::string run_dir_;
  CheckpointSection config_;
  CommitInterval interval_;
  Collectives& comm_;
  checkpoint::CheckpointStore store_;
  std::optional<checkpoint::RunLock> lock_;  // rank 0
  std::int64_t last_step_ = -1;
  double last_time_ = 0;
};

}  // namespace entrain::worker
