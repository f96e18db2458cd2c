#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/control/beat.hpp"

namespace entrain::status {

/// One rank, as the supervisor sees it.
struct RankStatus {
  control::RankBeat beat;
  std::string host{};
  std::string health{};  ///< alive | suspect | dead | ended: with the run | unknown: nobody watches it
  bool behind = false;   ///< the others wait for it, or its steps are much slower than the median
};

struct CommitStatus {
  std::int64_t step = 0;
  std::string time{};  ///< 2026-03-02T10:04:11Z
};

/// A line of events.jsonl: what happened to the run.
struct Event {
  std::string time{};
  std::string kind{};  ///< launch, beat, suspect, dead, hang, exit, commit, stop, signal, give-up, end, ...
  std::string text{};
};

/// Where a run stands: the one document behind status.json, `entrain status`, the page and the metrics.
struct RunStatus {
  std::string run_dir{}, run_id{}, stage{};
  /// starting: no step finished yet | training | stopping: asked to commit and leave | recovering: between two
  /// generations | ended | unknown: nobody watches it | waiting: its job is in the queue, to begin it or to go on with it
  std::string state = "starting";
  std::string reason{};  ///< of the state, in words; with `ended` that of the exit code
  int exit_code = -1;    ///< -1: has not ended
  std::string supervisor_host{};
  std::int64_t supervisor_pid = 0;
  std::string job_id{};  ///< of Slurm; empty: none
  std::int64_t generation = 0;
  int world = 0;  ///< ranks of this generation
  std::string started{}, now{};
  std::int64_t step = 0, total_steps = 0, committed = 0;
  std::optional<double> loss, views_per_second, step_seconds;
  std::optional<double> eta_seconds;       ///< to the last step, at today's speed
  std::optional<double> deadline_seconds;  ///< to the end of the batch job
  std::optional<double>
      goodput;       ///< share of the time under a supervisor that went into steps that still count
  int failures = 0;  ///< generations that ended in a failure
  std::vector<RankStatus> ranks{};
  std::vector<CommitStatus> commits{};  ///< newest last, at most kMostCommits
  std::vector<Event> events{};          ///< newest last, at most kMostEvents
  std::vector<std::pair<std::int64_t, double>> loss_curve{},
      speed_curve{};  ///< step and value, at most kCurvePoints
};

/// What the lists of a RunStatus hold at most.
inline constexpr std::size_t kMostCommits = 20, kMostEvents = 100, kCurvePoints = 400;

inline bool has_ended(const RunStatus& status) { return status.state == "ended"; }

/// Whether its ranks are at work, as far as anybody knows: it has not ended, somebody watches it, and it does not wait.
bool is_at_work(const RunStatus& status);
/// Whether the stage commits: fine-tuning and evaluation start over instead.
bool has_commits(const RunStatus& status);

/// The document as it may be told. Of a run that has ended nothing goes on: its ranks have ended (who was dead stays so),
/// hold no memory, wait for nothing and nobody waits for them, and nothing is to go. Any other is left as it is.
RunStatus settled(RunStatus status);

/// What people call a run: the last part of its folder.
std::string name_of_run(const std::string& run_dir);

void to_json(nlohmann::json& json, const RunStatus& status);
void from_json(const nlohmann::json& json, RunStatus& status);

}  // namespace entrain::status
