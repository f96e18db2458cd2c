#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "configs/lanes.hpp"
#include "coordinator/job_deadline.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/span_recorder.hpp"

namespace entrain::worker {

/// What is committed, as it stands when called.
struct CommittedState {
  std::function<std::vector<NamedTensor>()> tensors;
  std::function<nlohmann::json()> facts;
};

/// When a pretraining run commits, and what the ledger hears of its steps. Collective throughout.
class BackgroundCommits {
 public:
  /// `slots`: this rank's lanes of `lane_images` images in the sample plan. `first_step`: finished steps.
  BackgroundCommits(Committer& committer, Collectives& comm, LaneBlock slots, std::int64_t lane_images,
                    std::int64_t first_step, std::int64_t total_steps, CommittedState state);

  /// After step number `step` (from 1), with the images it read. True: stopped on request, and all is committed. A
  /// commit that fails between two others costs nothing yet: it is told, and training goes on; the last one must
  /// succeed (CheckpointError).
  bool after_step(std::int64_t step, std::span<const sharding::Slot> seen, double loss, double step_seconds);

  /// Whether a commit is being written meanwhile, and what snapshots cost since the last call (metrics.jsonl).
  bool in_flight() const { return committer_.in_flight(); }
  double take_stall_seconds() { return std::exchange(stall_seconds_, 0); }
  const std::string& why_stopped() const { return why_stopped_; }

 private:
  bool must_stop(double step_seconds);
  void settle(const std::optional<CommitOutcome>& outcome);
  void begin_or_skip(std::int64_t step);

  Committer& committer_;
  Collectives& comm_;
  const LaneBlock slots_;
  const std::int64_t lane_images_, total_steps_;
  const CommittedState state_;
  SpanRecorder span_;
  std::optional<coordinator::JobDeadline> deadline_;  // rank 0
  std::int64_t witness_after_;                        // the step after this one is witnessed
  double stall_seconds_ = 0, slowest_step_ = 0;
  bool told_skip_ = false;  // once per commit in flight
  std::string why_stopped_;
};

}  // namespace entrain::worker
