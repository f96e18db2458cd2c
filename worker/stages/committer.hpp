#pragma once
#include <cstdint>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/ledger.hpp"
#include "checkpoint/resume.hpp"
#include "checkpoint/run_lock.hpp"
#include "checkpoint/store.hpp"
#include "configs/duration.hpp"
#include "configs/run_config.hpp"
#include "worker/collectives/collectives.hpp"
#include "worker/stages/snapshot.hpp"

namespace entrain::worker {

/// How the last commit ended.
struct CommitOutcome {
  std::int64_t step = 0;
  std::string error{};       ///< empty: committed
  double stall_seconds = 0;  ///< training waited for the snapshot
  double total_seconds = 0;  ///< from snapshot to COMMIT
  std::uint64_t bytes = 0;   ///< of this rank's share
};

/// Two-phase commits of one run over all ranks, in the background of training. begin() copies this rank's share of the
/// tensors and lets a thread write it; advance(), at later step boundaries, gathers the votes once every rank has
/// written, lets a thread of rank 0 publish, and tells all ranks how it ended. The collectives are the main thread's:
/// MPI is never called from the others.
class Committer {
 public:
  /// Collective. Makes run_dir, takes its lock, opens the ledger (where the run keeps one) and sweeps leftovers on
  /// rank 0.
  Committer(std::string run_dir, const CheckpointSection& config, Collectives& comm, bool with_ledger,
            checkpoint::FileSystem& files = checkpoint::real_file_system());
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Collective: where the run goes on (resume.hpp), the same on all ranks. With resume = never and a checkpoint
  /// there: CheckpointError.
  checkpoint::ResumePoint resume();
  /// Collective: the newest whole checkpoint of a run without a ledger.
  std::optional<checkpoint::Found> newest();
  /// Collective: START record; from here on everything is of a new generation.
  void start(nlohmann::json facts);

  /// A record besides those of commits; rank 0 writes it, every rank may call. A disk that cannot take it is a warning.
  void note(nlohmann::json record) noexcept;

  /// Whether a commit is due after this step: by count, or by time as rank 0 sees it (let all ranks agree).
  bool due(std::int64_t step) const;
  bool in_flight() const { return phase_ != Phase::kIdle; }
  /// Whether this rank's thread is still at work on a commit.
  bool busy() const;

  /// Snapshot of the state after `step`; the rest happens in the background. `span_part`: SpanRecorder::part().
  /// Only when nothing is in flight. Returns the seconds that the copy took.
  double begin(std::int64_t step, const std::vector<NamedTensor>& tensors, nlohmann::json facts,
               nlohmann::json span_part);
  /// Collective, at a step boundary, with what the ranks agreed on: goes on to the next phase if nobody is busy.
  /// Returns the outcome once a commit has ended.
  std::optional<CommitOutcome> advance(bool somebody_is_busy);
  /// Collective: waits for what is in flight.
  std::optional<CommitOutcome> finish();
  /// Collective: begin() and finish(); only when nothing is in flight. CheckpointError (on_all_ranks) where it could not be committed; older
  /// checkpoints are untouched.
  CommitOutcome commit(std::int64_t step, const std::vector<NamedTensor>& tensors, nlohmann::json facts,
                       nlohmann::json span_part = {});

  /// END record, if it can be written; every rank may call.
  void end(int code, const std::string& reason) noexcept;

  std::int64_t committed() const { return committed_; }  ///< newest step committed or resumed from; 0: none
  double slowest_seconds() const { return slowest_seconds_; }
  std::string interval_text() const;

 private:
  enum class Phase { kIdle, kWriting, kPublishing };
  void publish(std::vector<checkpoint::ShardVote> votes);
  CommitOutcome conclude();
  void measure(const CommitOutcome& done);

  std::string run_dir_;
  CheckpointSection config_;
  CommitInterval interval_;
  Collectives& comm_;
  checkpoint::CheckpointStore store_;
  std::optional<checkpoint::RunLock> lock_;   // rank 0
  std::optional<checkpoint::Ledger> ledger_;  // rank 0
  std::int64_t committed_ = 0;
  double last_begin_ = 0, slowest_seconds_ = 0;

  Phase phase_ = Phase::kIdle;
  Snapshot snapshot_;
  nlohmann::json facts_, span_part_;
  CommitOutcome current_;
  std::future<checkpoint::ShardVote> writing_;
  std::future<std::string> publishing_;  // rank 0: what went wrong
};

}  // namespace entrain::worker
