#include "worker/stages/background_commits.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "checkpoint/interval.hpp"
#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "coordinator/control/progress.hpp"
#include "worker/stages/control_word.hpp"
#include "worker/stages/stop_signal.hpp"

namespace entrain::worker {
namespace {

std::string milliseconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  return text;
}

}  // namespace

BackgroundCommits::BackgroundCommits(Committer& committer, Collectives& comm, LaneBlock slots,
                                     std::int64_t lane_images, std::int64_t first_step,
                                     std::int64_t total_steps, CommittedState state)
    : committer_(committer),
      comm_(comm),
      slots_(slots),
      lane_images_(lane_images),
      total_steps_(total_steps),
      state_(std::move(state)),
      span_(first_step),
      witness_after_(first_step) {
  if (comm.rank() == 0) deadline_.emplace();
}

bool BackgroundCommits::must_stop(double step_seconds) {
  slowest_step_ = std::max(slowest_step_, step_seconds);
  why_stopped_ = stop_reason();
  if (!why_stopped_.empty()) return true;
  if (!deadline_) return false;
  const auto left = deadline_->seconds_left();
  if (!left || *left > checkpoint::lead_seconds(slowest_step_, committer_.slowest_seconds())) return false;
  why_stopped_ = cat("the end of the job in ", duration_text(*left));
  return true;
}

bool BackgroundCommits::after_step(std::int64_t step, std::span<const sharding::Slot> seen, double loss,
                                   double step_seconds) {
  span_.add(seen, slots_.first, lane_images_, loss);
  if (step == witness_after_ + 1) {
    const auto began = std::chrono::steady_clock::now();
    span_.add_witness(share_of(state_.tensors(), comm_.rank(), comm_.size()));
    stall_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }

  const Agreed all = agree({must_stop(step_seconds), committer_.due(step), committer_.busy()}, comm_);
  settle(committer_.advance(all.busy > 0));
  const bool last = step == total_steps_;
  if (all.stop > 0 || last) {
    const auto phase = control::progress().enter(control::Phase::kCommit);
    settle(committer_.finish());
    settle(committer_.commit(step, state_.tensors(), state_.facts(), span_.part()));
  } else if (all.commit > 0) {
    begin_or_skip(step);
  }
  if (all.stop > 0 && why_stopped_.empty()) why_stopped_ = "a signal on another rank";
  return all.stop > 0 && !last;
}

void BackgroundCommits::begin_or_skip(std::int64_t step) {
  if (committer_.in_flight()) {
    if (!std::exchange(told_skip_, true))
      log(Level::kInfo, cat("step ", step, " is not committed: an earlier one is still being written"));
    return;
  }
  stall_seconds_ += committer_.begin(step, state_.tensors(), state_.facts(), span_.part());
  witness_after_ = step;
  told_skip_ = false;
}

void BackgroundCommits::settle(const std::optional<CommitOutcome>& outcome) {
  if (!outcome) return;
  if (!outcome->error.empty()) {
    if (comm_.rank() == 0)
      log(Level::kWarning, cat(outcome->error, "; training goes on, the next commit tries again"));
    return;
  }
  span_.forget_until(outcome->step);
  log(Level::kInfo, cat("committed step ", outcome->step, " in ", milliseconds(outcome->total_seconds), ", ",
                        milliseconds(outcome->stall_seconds), " of it in the way of training"));
}

}  // namespace entrain::worker
