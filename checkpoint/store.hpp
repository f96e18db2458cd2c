#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/file_system.hpp"
#include "checkpoint/safetensors.hpp"
#include "checkpoint/shard.hpp"

namespace entrain::checkpoint {

/// A committed checkpoint every byte of which is what its manifest says.
struct Found {
  std::int64_t step = 0;
  std::string dir{};  ///< RUN/checkpoints/step-00001200
  nlohmann::json manifest{};
  /// Newer ones that were not taken, with the reason: "step-00000016: shard-0001.safetensors: sha256 is ..".
  std::vector<std::string> passed_over{};
};

/// One run's checkpoints/ folder. A commit has two phases: every rank calls write_shard(), the votes are
/// gathered, and rank 0 calls commit(). Whatever stops it before the folder gets its final name leaves the
/// one before.
class CheckpointStore {
 public:
  /// keep: how many whole ones stay, at least 2.
  CheckpointStore(std::string run_dir, int keep, FileSystem& files = real_file_system());

  /// Writes checkpoints/.tmp-step-00001200/shard-000R.safetensors and syncs it. Never throws for input or
  /// output: what went wrong is in the vote. A rank without tensors writes nothing and votes for no file.
  ShardVote write_shard(std::int64_t step, const std::vector<TensorView>& mine, int rank, int world);

  /// Rank 0, with every rank's vote: manifest, final name, LATEST, retention. CheckpointError if a vote
  /// failed or the manifest cannot be written; the temporary folder then is gone and the checkpoint before is
  /// the newest. A failure after the final name (LATEST, deleting old ones) is only logged: the checkpoint is
  /// committed.
  void commit(std::int64_t step, const std::vector<ShardVote>& votes, const nlohmann::json& facts);

  /// Reads back every byte, newest first, until one is whole. Changes nothing.
  std::optional<Found> newest_whole() const;

  /// Rank 0 at the start of a run, before any write_shard(): removes what an interrupted commit or deletion
  /// left.
  void sweep();

 private:
  std::string folder_of(std::int64_t step) const;
  std::string half_of(std::int64_t step) const;
  void publish(std::int64_t step, const std::vector<ShardVote>& votes, const nlohmann::json& facts);
  void retain(std::int64_t newest);
  void to_trash(const std::string& name);
  void remove_all(const std::string& folder);

  std::string run_dir_, folder_;
  int keep_;
  FileSystem& files_;
  std::set<std::int64_t> known_whole_;  ///< committed or read back by this process
};

/// The names step-* in RUN/checkpoints, highest step first; empty where there is no such folder.
std::vector<std::int64_t> committed_steps(const std::string& run_dir);

/// A run directory (its newest whole checkpoint) or a step directory (which must be whole). CheckpointError
/// says what was looked for and what was found instead.
Found open_checkpoint(const std::string& run_or_step_dir);

}  // namespace entrain::checkpoint
