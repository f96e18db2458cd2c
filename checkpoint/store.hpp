#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/file_system.hpp"
#include "checkpoint/ledger.hpp"
#include "checkpoint/retention.hpp"
#include "checkpoint/safetensors.hpp"
#include "checkpoint/shard.hpp"

namespace entrain::checkpoint {

/// The writing side of one run's checkpoints/ folder (find.hpp is the reading side). A commit has two phases: every
/// rank calls write_shard(), the votes are gathered, and whoever holds the run lock calls commit(). Whatever stops it
/// before the folder gets its final name leaves the checkpoint before.
class CheckpointStore {
 public:
  CheckpointStore(std::string run_dir, Retention keep, FileSystem& files = real_file_system());

  /// The generation of the run that writes: part of every temporary name, so that a late writer of a dead generation
  /// cannot touch what this one commits.
  void set_generation(std::int64_t generation) { generation_ = generation; }
  /// Called before what cannot be taken back (the final name, the COMMIT record); throws where this generation is over.
  void set_fence(std::function<void()> fence) { fence_ = std::move(fence); }

  /// Writes checkpoints/.tmp-step-00001200-g0003/shard-000R.safetensors and syncs it. Never throws for input or
  /// output: what went wrong is in the vote. A rank without tensors writes nothing and votes for no file.
  ShardVote write_shard(std::int64_t step, const std::vector<TensorView>& mine, int rank, int world);

  /// With every rank's vote: manifest, final name, COMMIT record (with a ledger), LATEST, retention. `facts` go into
  /// the manifest; "parent", "span" and the like of a COMMIT record too. CheckpointError if a vote failed or something
  /// cannot be written; the checkpoint before then is the newest, and the ledger says ABORT. A failure after the
  /// COMMIT record (LATEST, deleting old ones) is only logged: the checkpoint is committed.
  void commit(std::int64_t step, const std::vector<ShardVote>& votes, nlohmann::json facts,
              Ledger* ledger = nullptr);

  /// Takes a checkpoint out of use, for a person to look at: BAD record, then the new name
  /// checkpoints/quarantine-step-00001200[-2]. Returns that name.
  std::string quarantine(std::int64_t step, const std::string& reason, Ledger* ledger = nullptr);

  /// At the start of a run, under its lock and before any write_shard(): removes what interrupted commits and
  /// deletions left.
  void sweep();

 private:
  std::string folder_of(std::int64_t step) const;
  std::string half_of(std::int64_t step) const;
  void publish(std::int64_t step, const std::vector<ShardVote>& votes, nlohmann::json& facts);
  void record(std::int64_t step, const nlohmann::json& facts, Ledger& ledger);
  void retain(std::int64_t newest);
  Candidate candidate(std::int64_t step);
  void to_trash(const std::string& name);
  void remove_all(const std::string& folder);

  std::string run_dir_, folder_;
  Retention keep_;
  std::int64_t generation_ = 0;
  std::function<void()> fence_ = [] {};
  FileSystem& files_;
  std::set<std::int64_t> known_whole_;            ///< committed or read back by this process
  std::map<std::int64_t, Candidate> candidates_;  ///< what their manifests say, read once
};

/// The COMMIT record of a checkpoint, out of its manifest.
nlohmann::json commit_record(const std::string& step_dir, const nlohmann::json& manifest);

}  // namespace entrain::checkpoint
