// The ranks of one generation, from their first word to the end of their launcher.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/node_beat.hpp"
#include "coordinator/control/supervised.hpp"
#include "coordinator/exit_file.hpp"
#include "coordinator/supervise/session.hpp"

namespace entrain::supervise {
namespace {

constexpr double kSilent = 1.5;  // seconds; a heartbeat comes every second

// What runs under a pid may be another program by now.
bool is_worker(pid_t pid) {
  std::error_code error;
  return std::filesystem::read_symlink(cat("/proc/", pid, "/exe"), error).filename() == "entrain-worker";
}

}  // namespace

std::variant<control::Lease, control::Refuse> Session::hello(control::NodeId node,
                                                             const control::Hello& hello) {
  const int world = supervisor_->placement().ranks;
  if (hello.world != world)
    return control::Refuse{cat("its world has ", hello.world, " ranks, but ", world, " were started")};
  if (hosts_.empty()) build_digest_ = hello.build_digest;
  if (hello.build_digest != build_digest_)
    return control::Refuse{cat("its program is another one (digest ", hello.build_digest, ") than that of ",
                               hosts_.begin()->second, " (", build_digest_,
                               "); install the same on every node")};
  hosts_[node] = hello.host;
  if (hello.host == control::node_name())
    for (const auto& rank : hello.ranks) watch_rank(rank.rank, static_cast<pid_t>(rank.pid));
  control::Lease lease;
  lease.generation = static_cast<std::uint32_t>(supervisor_->generation());
  lease.world = world;
  lease.deadline_seconds = deadline_.seconds_left();
  return lease;
}

// The first of this machine's ranks to end is why the others do. With several nodes it may be that a rank of another was first.
void Session::watch_rank(int rank, pid_t pid) {
  if (!local_pids_.insert(pid).second || !settings_.fleet.nodes.front().empty()) return;
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (handle < 0) return;
  auto& watch = watches_.emplace_back(io_, handle);
  watch.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, rank, pid](const auto& error) {
    if (!error && first_gone_.empty())
      first_gone_ = cat("rank ", rank, " (pid ", pid, " on ", control_.host,
                        ") was killed or crashed; the kernel's log says so where memory ran out");
  });
}

std::vector<pid_t> Session::local_ranks() const {
  std::vector<pid_t> out;
  for (const pid_t pid : local_pids_)
    if (is_worker(pid)) out.push_back(pid);
  return out;
}

// The first rank of a node speaks for all of it: once that is stopped, nothing comes from there any more.
void Session::look_for_stopped_ranks() {
  const Detector* detector = supervisor_->detector();
  if (detector == nullptr) return;
  for (const auto& [number, rank] : detector->ranks())
    if (rank.host == control::node_name() && now() - rank.alive_at > kSilent &&
        control::is_stopped(rank.beat.pid))
      supervisor_->stopped(number);
}

void Session::kill() { step_.end(local_ranks()); }

void Session::launcher_ended(int status) {
  for (const pid_t pid : local_ranks()) ::kill(pid, SIGKILL);  // what a launcher that was killed has left
  server_->fence(static_cast<std::uint32_t>(supervisor_->generation()), "its generation has ended");
  Ending ending;
  ending.committed = committed_on_disk();
  if (const auto end = coordinator::read_exit(dir_)) {
    ending.told = true;
    ending.code = end->code;
    ending.reason = end->reason;
    if (end->code == static_cast<int>(ExitCode::kRequeue)) ending.own_stop = why_ranks_stopped();
  } else if (const auto bye =
                 std::find_if(byes_.begin(), byes_.end(), [](const auto& b) { return b.second.code != 0; });
             bye != byes_.end()) {
    ending.code = bye->second.code;
    ending.reason = cat("rank ", bye->first, ": ", bye->second.reason);
  } else if (status == -1) {
    ending.code = byes_.empty() ? static_cast<int>(ExitCode::kComm) : 0;
    if (byes_.empty())
      ending.reason =
          !first_gone_.empty()
              ? first_gone_
              : "its launcher is gone; with which code only the supervisor that started it could know";
  } else {
    ending.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const bool by_signal = ending.code > 128;
    ending.reason = by_signal && !first_gone_.empty() ? first_gone_
                    : WIFEXITED(status)               ? cat(settings_.launcher, " ended with ", ending.code)
                                        : cat(settings_.launcher, " was killed by signal ", WTERMSIG(status));
  }
  ending.never_up = local_pids_.empty() && hosts_.empty() && byes_.empty() && WIFEXITED(status);
  supervisor_->exited(ending, now());
}

JobSituation Session::job_situation() const {
  constexpr double kMoved = 60;  // Slurm rounds, and clocks differ
  JobSituation job;
  job.in_job = std::getenv("SLURM_JOB_ID") != nullptr;
  job.seconds_left = deadline_.seconds_left();
  job.end_moved = job.seconds_left && end_at_first_ && now() + *job.seconds_left < *end_at_first_ - kMoved;
  return job;
}

std::string Session::why_ranks_stopped() const {
  int caught = 0;
  if (const Detector* detector = supervisor_->detector())
    for (const auto& [number, rank] : detector->ranks())
      if (rank.beat.signal != 0) caught = rank.beat.signal;
  return own_stop_cause(caught, job_situation());
}

}  // namespace entrain::supervise
