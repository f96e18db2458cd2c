#include <algorithm>
#include <cstdlib>

#include "configs/log.hpp"
#include "coordinator/supervise/session.hpp"

namespace entrain::supervise {
namespace {

std::string name_of(Supervisor::State state) {
  switch (state) {
    case Supervisor::State::kStarting:
      return "starting";
    case Supervisor::State::kTraining:
      return "training";
    case Supervisor::State::kStopping:
      return "stopping";
    case Supervisor::State::kEnding:
    case Supervisor::State::kRecovering:
      return "recovering";
    case Supervisor::State::kEnded:
      return "ended";
  }
  return "unknown";
}

void add_ranks(status::RunStatus& s, const Supervisor& supervisor, double now) {
  const Detector* detector = supervisor.detector();
  if (detector == nullptr) return;
  const Verdict& verdict = supervisor.verdict();
  const std::vector<int> waited_for = detector->waited_for(now);
  for (const auto& [number, rank] : detector->ranks()) {
    const bool named = std::count(verdict.ranks.begin(), verdict.ranks.end(), number) > 0;
    const bool dead = named && verdict.kind == Verdict::Kind::kDead;
    const bool behind =
        named || rank.beat.stopped || std::count(waited_for.begin(), waited_for.end(), number) > 0;
    s.ranks.push_back({rank.beat, rank.host, dead ? "dead" : named ? "suspect" : "alive", behind});
    s.step = std::max(s.step, rank.beat.step);
    s.total_steps = std::max(s.total_steps, rank.beat.total_steps);
  }
}

}  // namespace

status::RunStatus Session::status() {
  status::RunStatus s;
  s.run_dir = dir_, s.run_id = status::name_of_run(dir_), s.stage = settings_.stage;
  s.state = code_ ? "ended" : name_of(supervisor_->state());
  s.reason = code_ ? reason_ : looking_.valid() ? "looking at the nodes" : supervisor_->reason();
  s.exit_code = code_.value_or(-1);
  s.supervisor_host = control_.host, s.supervisor_pid = control_.pid;
  if (const char* job = std::getenv("SLURM_JOB_ID")) s.job_id = job;
  s.generation = supervisor_->generation(), s.world = supervisor_->placement().ranks;
  s.started = events_.first_launch(), s.now = utc_now();
  s.committed = supervisor_->committed();
  s.total_steps = total_steps_;
  s.deadline_seconds = deadline_.seconds_left();
  s.failures = supervisor_->failures();
  s.events = events_.newest();
  s.commits = commits_;
  add_ranks(s, *supervisor_, now());
  total_steps_ = s.total_steps;  // between two generations nobody says it
  metrics_.fill(s);
  // Where it goes on; ranks that have come up say it better.
  const std::int64_t from = settings_.stage == "pretrain" ? s.committed : 0;
  if (s.state == "starting") s.step = std::max(s.step, from);
  if (s.state == "recovering") s.step = from;
  const double since = seconds_since_first_launch() - events_.idle_seconds();
  if (since > 0 && metrics_.seconds_of_steps() > 0)
    s.goodput = std::min(1.0, metrics_.seconds_of_steps() / since);
  return s;
}

}  // namespace entrain::supervise
