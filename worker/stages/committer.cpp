#include "worker/stages/committer.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "checkpoint/interval.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/control/supervised.hpp"
#include "worker/stages/span_recorder.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

checkpoint::Retention retention_of(const CheckpointSection& config) {
  return {config.keep, config.keep_every.empty() ? 0 : parse_duration(config.keep_every), config.keep_best};
}

// A thread of its own that gives way to training: on Linux a nice value is the thread's.
template <typename Work>
auto in_background(Work work) {
  return std::async(std::launch::async, [work = std::move(work)]() mutable {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
    return work();
  });
}

nlohmann::json to_json(const std::optional<checkpoint::Found>& found) {
  if (!found) return {};
  return {{"step", found->step},
          {"dir", found->dir},
          {"manifest", found->manifest},
          {"passed_over", found->passed_over}};
}

std::optional<checkpoint::Lease> lease() {
  const auto mine = control::supervised();
  if (!mine) return std::nullopt;
  return checkpoint::Lease{mine->run_id, mine->generation};
}

std::optional<checkpoint::Found> found_of(const nlohmann::json& told) {
  if (told.is_null()) return std::nullopt;
  return checkpoint::Found{told.at("step"), told.at("dir"), told.at("manifest"), told.at("passed_over")};
}

}  // namespace

Committer::Committer(std::string run_dir, const CheckpointSection& config, Collectives& comm,
                     bool with_ledger, checkpoint::FileSystem& files)
    : run_dir_(std::move(run_dir)),
      config_(config),
      interval_(parse_commit_interval(config.every)),
      comm_(comm),
      store_(run_dir_, retention_of(config), files),
      last_begin_(now()) {
  together(comm_, [&] {
    if (comm_.rank() != 0) return;
    lock_.emplace(run_dir_, lease());
    store_.set_fence([this] { lock_->require_held(); });
    if (with_ledger) ledger_.emplace(run_dir_, files);
    store_.sweep();
  });
}

Committer::~Committer() = default;  // the futures wait for their threads

checkpoint::ResumePoint Committer::resume() {
  checkpoint::ResumePoint point;
  together(comm_, [&] {
    if (comm_.rank() != 0) return;
    if (const auto steps = checkpoint::committed_steps(run_dir_); config_.resume == "never" && !steps.empty())
      throw CheckpointError(cat(run_dir_, ": holds a checkpoint of step ", steps[0],
                                " but checkpoint.resume is never; set run.dir anew, or resume=auto"));
    point = checkpoint::resume_point(run_dir_, store_, *ledger_, config_.prove != "off");
  });
  const nlohmann::json mine = {
      {"from", to_json(point.from)}, {"before", to_json(point.before)}, {"said", point.said}};
  const auto told = nlohmann::json::parse(comm_.all_gather_text(comm_.rank() == 0 ? mine.dump() : "")[0]);
  point = {found_of(told.at("from")), found_of(told.at("before")), told.at("said")};
  committed_ = point.from ? point.from->step : 0;
  return point;
}

std::optional<checkpoint::Found> Committer::newest() {
  std::optional<checkpoint::Found> found;
  together(comm_, [&] {
    if (comm_.rank() == 0) found = checkpoint::newest_whole(run_dir_);
    if (found && config_.resume == "never")
      throw CheckpointError(cat(run_dir_, ": holds ", found->dir,
                                " but checkpoint.resume is never; set run.dir anew, or resume=auto"));
  });
  const std::string mine = comm_.rank() == 0 ? to_json(found).dump() : "";
  found = found_of(nlohmann::json::parse(comm_.all_gather_text(mine)[0]));
  committed_ = found ? found->step : 0;
  return found;
}

void Committer::start(nlohmann::json facts) {
  together(comm_, [&] {
    if (comm_.rank() != 0) return;
    facts["kind"] = "START";
    facts["from_step"] = committed_;
    // A supervisor counts the generations that never came so far, too.
    if (const auto mine = control::supervised(); mine && mine->generation > ledger_->generation())
      facts["generation"] = mine->generation;
    ledger_->append(std::move(facts));
  });
  const std::string mine = comm_.rank() == 0 ? cat(ledger_->generation()) : "";
  store_.set_generation(std::stoll(comm_.all_gather_text(mine)[0]));
}

void Committer::note(nlohmann::json record) noexcept {
  try {
    if (ledger_) ledger_->append(std::move(record));
  } catch (const std::exception& e) {
    log(Level::kWarning, e.what());
  }
}

bool Committer::due(std::int64_t step) const {
  if (interval_.steps > 0) return step % interval_.steps == 0;
  return comm_.rank() == 0 && now() - last_begin_ >= interval_.seconds;
}

bool Committer::busy() const {
  const auto running = [](const auto& future) {
    return future.valid() && future.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  };
  return running(writing_) || running(publishing_);
}

double Committer::begin(std::int64_t step, const std::vector<NamedTensor>& tensors, nlohmann::json facts,
                        nlohmann::json span_part) {
  TORCH_CHECK(phase_ == Phase::kIdle, "a commit is already on its way");
  last_begin_ = now();
  snapshot_.take(share_of(tensors, comm_.rank(), comm_.size()));
  current_ = {step, "", now() - last_begin_, 0, snapshot_.bytes()};
  facts_ = std::move(facts);
  span_part_ = std::move(span_part);
  writing_ = in_background([this, step, rank = comm_.rank(), world = comm_.size()] {
    return store_.write_shard(step, snapshot_.tensors(), rank, world);
  });
  phase_ = Phase::kWriting;
  return current_.stall_seconds;
}

std::optional<CommitOutcome> Committer::advance(bool somebody_is_busy) {
  if (phase_ == Phase::kIdle || somebody_is_busy) return std::nullopt;
  if (phase_ == Phase::kPublishing) return conclude();
  checkpoint::ShardVote vote = writing_.get();
  vote.span = std::move(span_part_);
  std::vector<checkpoint::ShardVote> votes;
  for (const std::string& text : comm_.all_gather_text(vote.to_json()))
    votes.push_back(checkpoint::ShardVote::from_json(text));
  if (comm_.rank() == 0) publish(std::move(votes));
  phase_ = Phase::kPublishing;
  return std::nullopt;
}

void Committer::publish(std::vector<checkpoint::ShardVote> votes) {
  publishing_ = in_background([this, votes = std::move(votes)]() -> std::string {
    try {
      if (ledger_) {
        std::vector<nlohmann::json> parts;
        for (const auto& vote : votes) parts.push_back(vote.span);
        facts_["parent"] = committed_;
        facts_["span"] = merged_span(parts);
        facts_["metric"] = facts_["span"]["mean_loss"];
      }
      store_.commit(current_.step, votes, facts_, ledger_ ? &*ledger_ : nullptr);
      return "";
    } catch (const std::exception& e) {
      return e.what();
    }
  });
}

CommitOutcome Committer::conclude() {
  const std::string mine = comm_.rank() == 0 ? publishing_.get() : "";
  current_.error = comm_.all_gather_text(mine)[0];
  current_.total_seconds = now() - last_begin_;
  phase_ = Phase::kIdle;
  if (current_.error.empty()) committed_ = current_.step;
  measure(current_);
  return current_;
}

// every: auto follows what commits of this run cost and how often it failed.
void Committer::measure(const CommitOutcome& done) {
  slowest_seconds_ = std::max(slowest_seconds_, done.total_seconds);
  if (!interval_.automatic || comm_.rank() != 0 || !ledger_) return;
  const double failures =
      checkpoint::seconds_between_failures(ledger_->records(), static_cast<double>(std::time(nullptr)));
  interval_.seconds = checkpoint::best_interval_seconds(done.total_seconds, failures);
}

std::optional<CommitOutcome> Committer::finish() {
  std::optional<CommitOutcome> outcome;
  while (phase_ != Phase::kIdle) {
    if (writing_.valid()) writing_.wait();
    if (publishing_.valid()) publishing_.wait();
    outcome = advance(false);
  }
  return outcome;
}

CommitOutcome Committer::commit(std::int64_t step, const std::vector<NamedTensor>& tensors,
                                nlohmann::json facts, nlohmann::json span_part) {
  begin(step, tensors, std::move(facts), std::move(span_part));
  const CommitOutcome outcome = *finish();
  if (outcome.error.empty()) return outcome;
  CheckpointError error(outcome.error);
  error.set_on_all_ranks();
  throw error;
}

void Committer::end(int code, const std::string& reason) noexcept {
  try {
    if (publishing_.valid() && publishing_.get().empty()) committed_ = current_.step;
    if (lock_) lock_->require_held();
    if (ledger_)
      ledger_->append({{"kind", "END"}, {"code", code}, {"committed", committed_}, {"reason", reason}});
  } catch (const std::exception& e) {
    log(Level::kWarning, e.what());
  }
}

std::string Committer::interval_text() const {
  return interval_.steps > 0 ? cat(interval_.steps, " steps") : duration_text(interval_.seconds);
}

}  // namespace entrain::worker
