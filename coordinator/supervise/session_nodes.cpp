// The nodes of a batch job: the first look at them, and those that fall away before their ranks have spoken.
#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/exit_file.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/session.hpp"

namespace entrain::supervise {
namespace {

constexpr double kLateSeconds = 5;  // between two questions about nodes whose ranks have yet to speak
constexpr int kTryEvery = 4;  // of them tries a step on each node: Slurm may take minutes to call one down

}  // namespace

// In a thread of its own: signals are heard and the status is told meanwhile.
void Session::look_first() {
  // What an earlier supervisor has left behind shall not find us for its own.
  server_->begin_generation(static_cast<std::uint32_t>(control_.generation + 1));
  coordinator::remove_exit(dir_);
  control_.launcher_pid = 0;
  write_control_file();
  tell("preflight", cat("looks at the nodes ", join(settings_.fleet.nodes)), false);
  looking_ = std::async(std::launch::async, [this] {
    return preflight(settings_.fleet, settings_.launcher, settings_.config.slurm, settings_.worker.front(),
                     dir_, settings_.config.run.device, stop_looking_.get_token());
  });
  if (http_) http_->publish(status());
  write_status(status());
}

void Session::looked(const Preflight& found) {
  const bool passed = found.code == ExitCode::kDone, asked = !stop_reason_.empty();
  for (const auto& warning : found.warnings) tell("preflight", warning, true);
  if (asked || found.code == ExitCode::kRequeue) {
    if (!asked) tell("stop", found.text, false);
    finish(static_cast<int>(ExitCode::kRequeue),
           cat(asked ? stop_reason_ : found.text, "; no rank had begun"));
    return;
  }
  if (!found.text.empty()) tell("preflight", found.text, !passed);
  lost_at_start_ = found.lost;
  if (passed)
    supervisor_->start(now());
  else
    finish(static_cast<int>(found.code), found.text);
}

// A launcher may wait for ever for a node that died before its ranks spoke, and ranks may take minutes to come up.
void Session::ask_about_late_nodes() {
  if (asking_.valid() && is_ready(asking_))
    if (const auto gone = asking_.get(); asked_in_ == supervisor_->generation())
      supervisor_->gone(gone, now());
  const Detector* detector = supervisor_->detector();
  const Placement& placement = supervisor_->placement();
  const bool late = supervisor_->state() == Supervisor::State::kStarting && detector != nullptr &&
                    static_cast<int>(detector->ranks().size()) < placement.ranks;
  if (!late || placement.nodes.size() < 2 || asking_.valid()) return;
  if (asked_in_ != supervisor_->generation()) {
    asked_in_ = supervisor_->generation();
    asks_ = 0;
    ask_at_ = now() + kLateSeconds;
  }
  if (now() < ask_at_) return;
  ask_at_ = now() + kLateSeconds;
  Fleet started = settings_.fleet;
  started.nodes = placement.nodes;
  asking_ = std::async(std::launch::async,
                       [started, with_a_step = ++asks_ % kTryEvery == 0, stop = stop_looking_.get_token()] {
                         return with_a_step ? lost_nodes(started, stop) : supervise::down_nodes(started);
                       });
}

}  // namespace entrain::supervise
