#include "coordinator/supervise/supervisor.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"

namespace entrain::supervise {
namespace {

constexpr double kSlept = 2;          // nothing for so long, not even a tick: this process was not running
constexpr double kToComeBack = 20;    // for ranks that look for a supervisor every two seconds
constexpr double kForStacks = 2;      // between asking for stacks and ending the generation
constexpr double kLongestPause = 30;  // between two generations

// Starting again would end in the same way.
bool is_final(int code) {
  for (const ExitCode e :
       {ExitCode::kDone, ExitCode::kConfig, ExitCode::kData, ExitCode::kPreflight, ExitCode::kBug,
        ExitCode::kCheckpoint, ExitCode::kLaunch, ExitCode::kNumeric, ExitCode::kNoProgress})
    if (code == static_cast<int>(e)) return true;
  return false;
}

}  // namespace

Supervisor::Supervisor(SupervisorSettings settings, World& world, Past past)
    : settings_(std::move(settings)), world_(world), past_(std::move(past)), limits_(settings_.patience) {}

void Supervisor::start(double now) { launch(now); }

void Supervisor::adopt(const Placement& placement, double now) {
  placement_ = placement;
  Patience patience = settings_.patience;
  patience.hello = kToComeBack;
  detector_.emplace(patience, limits_, placement.ranks, settings_.has_steps, now);
  state_ = State::kStarting;
  world_.tell(
      "adopt",
      cat("generation ", past_.generation, " of ", placement.ranks, " ranks still runs: watching it again"),
      false);
}

void Supervisor::leave_out(const std::set<std::string>& nodes) {
  for (const auto& node : nodes)
    if (past_.out.insert(node).second)
      world_.tell("drop", cat("node ", node, " is left out from now on"), true);
}

void Supervisor::launch(double now) {
  leave_out(world_.down_nodes());
  placement_ = place(settings_.fleet, past_.out);
  if (placement_.ranks == 0) {
    finish(static_cast<int>(ExitCode::kComm),
           cat("fewer than ", settings_.fleet.min_ranks, " ranks fit on the nodes that are left"));
    return;
  }
  ++past_.generation;
  if (detector_) limits_ = detector_->limits();
  detector_.emplace(settings_.patience, limits_, placement_.ranks, settings_.has_steps, now);
  verdict_ = {};
  suspected_nodes_.clear();
  told_training_ = false;
  state_ = State::kStarting;
  reason_.clear();
  std::string where;
  for (const auto& node : placement_.nodes) where += cat(where.empty() ? "" : ",", node);
  world_.tell("launch",
              cat("generation ", past_.generation, ": ", placement_.ranks,
                  placement_.ranks == 1 ? " rank" : " ranks", where.empty() ? "" : " on " + where,
                  settings_.has_steps ? cat(", from step ", past_.committed) : ""),
              false);
  world_.launch(past_.generation, placement_);
}

void Supervisor::notice_sleep(double now) {
  const double late = awake_at_ < 0 ? 0 : now - awake_at_;
  awake_at_ = now;
  if (late > kSlept && detector_) detector_->slept(late);
}

void Supervisor::beat(const control::NodeBeat& beat, double now) {
  if (!detector_ || state_ == State::kEnded || state_ == State::kRecovering) return;
  notice_sleep(now);  // before what came meanwhile is taken for fresh
  detector_->beat(beat, now);
  if (!told_training_ && detector_->trains()) {
    told_training_ = true;
    if (state_ == State::kStarting) state_ = State::kTraining;
    world_.tell("training",
                cat("generation ", past_.generation, settings_.has_steps ? " trains" : " is at work"), false);
  }
}

void Supervisor::committed(std::int64_t step) {
  if (step <= past_.committed) return;
  past_.committed = step;
  past_.cycles = 0;
  world_.tell("commit", cat("step ", step, " is committed"), false);
}

void Supervisor::lost(const std::string& host, double now) {
  if (detector_) detector_->lost(host, now);
}

void Supervisor::stop(const std::string& reason, double now) {
  if (stop_asked_ || state_ == State::kEnded) return;
  stop_asked_ = true;
  stop_at_ = now;
  world_.tell("stop", cat("asked to stop: ", reason), false);
  if (state_ == State::kRecovering) {
    finish(static_cast<int>(ExitCode::kComm), cat("stopped between two generations: ", reason));
    return;
  }
  if (state_ == State::kEnding) return;
  state_ = State::kStopping;
  reason_ = reason;
  world_.ask_stop(reason);
}

void Supervisor::stop_at_once() {
  stop_asked_ = at_once_ = true;
  world_.kill();
}

void Supervisor::tick(double now) {
  notice_sleep(now);
  switch (state_) {
    case State::kStarting:
    case State::kTraining:
    case State::kStopping:
      watch(now);
      break;
    case State::kEnding:
      if (kill_at_ > 0 && now >= kill_at_) {
        kill_at_ = 0;
        if (verdict_.kind == Verdict::Kind::kHang) tell_who_is_behind(now);
        world_.kill();
      }
      break;
    case State::kRecovering:
      if (now >= relaunch_at_) launch(now);
      break;
    case State::kEnded:
      break;
  }
}

void Supervisor::watch(double now) {
  if (!detector_) return;  // nothing was launched yet
  const Verdict found = detector_->look(now);
  if (state_ == State::kStopping && found.kind < Verdict::Kind::kDead &&
      now - stop_at_ > settings_.stop_patience) {
    end_generation({Verdict::Kind::kHang,
                    {},
                    cat("not gone ", duration_text(settings_.stop_patience), " after it was asked to stop")},
                   now);
    return;
  }
  const bool news = found.kind != verdict_.kind || found.ranks != verdict_.ranks;
  verdict_ = found;
  if (found.kind == Verdict::Kind::kFine) return;
  if (found.kind != Verdict::Kind::kSuspect)
    end_generation(found, now);
  else if (news)
    world_.tell("suspect", found.why, true);
}

// Told before anything is killed: who is behind, and with their stacks where they can still answer.
void Supervisor::end_generation(const Verdict& verdict, double now) {
  verdict_ = verdict;
  state_ = State::kEnding;
  reason_ = verdict.why;
  blame(verdict);
  const bool hang = verdict.kind == Verdict::Kind::kHang;
  world_.tell(hang ? "hang" : "dead", verdict.why, true);
  if (hang) world_.ask_stacks();
  if (!hang) tell_who_is_behind(now);
  kill_at_ = now + (hang ? kForStacks : 0);
}

void Supervisor::tell_who_is_behind(double now) {
  if (!detector_->ranks().empty()) world_.tell("behind", detector_->table(now), true);
}

void Supervisor::gone(const std::set<std::string>& nodes, double now) {
  if (state_ != State::kStarting || !detector_) return;
  std::set<std::string> silent;
  for (const auto& node : placement_.nodes)
    if (nodes.count(node) > 0) silent.insert(node);
  for (const auto& [number, rank] : detector_->ranks()) silent.erase(rank.host);
  if (silent.empty()) return;
  const std::string names = join({silent.begin(), silent.end()});
  end_generation({Verdict::Kind::kDead,
                  {},
                  cat(silent.size() == 1 ? "node " : "nodes ", names,
                      " is gone, by Slurm's word, before its ranks had spoken")},
                 now);
  suspected_nodes_ = silent;
}

void Supervisor::stopped(int rank) {
  if (detector_) detector_->stopped(rank);
}

// A node all of whose ranks are silent is a node to do without; but where every node is silent, those that had to follow
// cannot be told from the one that fell first: then only the scheduler's word counts.
void Supervisor::blame(const Verdict& verdict) {
  if (verdict.kind != Verdict::Kind::kDead || !detector_) return;
  std::set<std::string> answering;
  for (const auto& [number, rank] : detector_->ranks()) {
    if (std::count(verdict.ranks.begin(), verdict.ranks.end(), number) == 0)
      answering.insert(rank.host);
    else
      suspected_nodes_.insert(rank.host);
  }
  std::erase_if(suspected_nodes_,
                [&](const std::string& node) { return answering.empty() || answering.count(node) > 0; });
}

void Supervisor::leaving(const std::string& host) {
  if (detector_) detector_->leaving(host);
}

// Of ranks that stopped in order. Whoever asked them is known; where nobody did, they did by themselves, and that is news.
std::string Supervisor::why_stopped(const Ending& ending) {
  std::string why = reason_;
  if (!stop_asked_) {
    why = ending.own_stop;
    world_.tell("stop", cat("the ranks stopped by themselves", why.empty() ? "" : ": ", why), false);
  }
  return cat(why, why.empty() || ending.reason.empty() ? "" : "; ", ending.reason);
}

void Supervisor::exited(const Ending& ending, double now) {
  if (state_ == State::kEnded || state_ == State::kRecovering) return;
  committed(ending.committed);
  // What a launcher returns for a step that was killed says nothing; what rank 0 wrote does.
  const bool believed = ending.told || state_ != State::kEnding;
  // Ranks that were killed here may have taken the SIGTERM for a wish to stop, and committed: nobody had that wish.
  const bool stopped =
      ending.code == static_cast<int>(ExitCode::kRequeue) && (state_ != State::kEnding || stop_asked_);
  if (believed && (is_final(ending.code) || stopped)) {
    finish(ending.code,
           ending.code == static_cast<int>(ExitCode::kRequeue) ? why_stopped(ending) : ending.reason);
    return;
  }
  // Somebody killed it (memory may have run out): that says nothing of how it was launched.
  const bool killed = ending.code == 128 + SIGKILL || ending.code == 128 + SIGTERM;
  if (ending.never_up && !killed && past_.cycles == 0 && state_ != State::kEnding) {
    finish(static_cast<int>(ExitCode::kLaunch),
           cat(ending.reason, " before any rank had spoken; what it said stands above"));
    return;
  }
  recover(ending, now);
}

void Supervisor::recover(const Ending& ending, double now) {
  if (at_once_) {
    finish(static_cast<int>(ExitCode::kComm),
           cat("ended at once, as asked; step ", past_.committed, " is the newest commit"));
    return;
  }
  ++past_.failures;
  ++past_.cycles;
  const std::string why = state_ == State::kEnding || ending.reason.empty() ? reason_ : ending.reason;
  reason_ = why.empty() ? cat("exit code ", ending.code) : why;
  world_.tell("exit", cat("generation ", past_.generation, " ended (exit ", ending.code, "): ", reason_),
              true);
  if (stop_asked_) {
    finish(static_cast<int>(ExitCode::kComm),
           cat("was asked to stop, but failed before it had committed: ", reason_));
    return;
  }
  if (past_.cycles >= settings_.max_cycles) {
    finish(static_cast<int>(ExitCode::kNoProgress),
           cat(past_.cycles, " generations in a row failed without a new commit, the last one: ", reason_));
    return;
  }
  // On one machine there is nothing else to go to; among several a node that fell silent is left out.
  if (settings_.fleet.nodes.size() > 1) leave_out(suspected_nodes_);
  const double pause = past_.cycles <= 1 ? 0.5 : std::min(kLongestPause, std::pow(2.0, past_.cycles - 1));
  relaunch_at_ = now + pause;
  state_ = State::kRecovering;
}

void Supervisor::finish(int code, const std::string& reason) {
  state_ = State::kEnded;
  reason_ = reason;
  world_.finish(code, reason);
}

}  // namespace entrain::supervise
