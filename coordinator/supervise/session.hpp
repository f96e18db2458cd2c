#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "checkpoint/run_lock.hpp"
#include "configs/reader.hpp"
#include "coordinator/control/server.hpp"
#include "coordinator/job_deadline.hpp"
#include "coordinator/status/http_server.hpp"
#include "coordinator/supervise/control_file.hpp"
#include "coordinator/supervise/metrics_tail.hpp"
#include "coordinator/supervise/preflight.hpp"
#include "coordinator/supervise/run_events.hpp"
#include "coordinator/supervise/step_process.hpp"
#include "coordinator/supervise/stop_cause.hpp"
#include "coordinator/supervise/supervisor.hpp"

namespace entrain::supervise {

template <class T>
bool is_ready(const std::future<T>& result) {
  return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// What is supervised, and where it may run.
struct SessionSettings {
  RunConfig config{};
  std::string stage = "pretrain";
  std::vector<std::string> worker{};  ///< command line of one rank
  Fleet fleet{};
  std::string launcher = "mpirun";  ///< or srun
};

/// `entrain run` from lock to exit code: the supervisor with real processes, sockets, signals and files. Everything
/// happens in the thread that calls run().
class Session : private World {
 public:
  /// Takes RUN/supervisor.lock. LaunchError (78): another supervisor has it; CheckpointError (73): no folder to write to.
  explicit Session(SessionSettings settings);
  ~Session() override;

  /// Until the run has ended, or asks to be started again elsewhere; the exit code.
  int run();

 private:
  void launch(std::int64_t generation, const Placement& placement) override;
  void kill() override;
  void ask_stop(const std::string& reason) override;
  void ask_stacks() override;
  void tell(const std::string& kind, const std::string& text, bool warning) override;
  std::set<std::string> down_nodes() override;
  void finish(int code, const std::string& reason) override;

  static double now();
  void listen();
  void begin();
  void look_first();
  void looked(const Preflight& found);
  void ask_about_late_nodes();
  void wait_for_signal();
  void on_signal(int signal);
  void wait_for_tick();
  void tick();
  void leave();
  void launcher_ended(int status);
  std::variant<control::Lease, control::Refuse> hello(control::NodeId node, const control::Hello& hello);
  void watch_rank(int rank, pid_t pid);
  std::vector<pid_t> local_ranks() const;
  void look_for_stopped_ranks();
  void take_new_token();
  status::RunStatus status();
  void write_control_file();
  void write_status(const status::RunStatus& now) noexcept;
  void note_commit();
  std::int64_t committed_on_disk() const;
  double seconds_since_first_launch() const;
  JobSituation job_situation() const;
  std::string why_ranks_stopped() const;

  SessionSettings settings_;
  std::string dir_;
  checkpoint::RunLock lock_;
  RunEvents events_;
  MetricsTail metrics_;
  ControlFile control_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  coordinator::JobDeadline deadline_;
  std::optional<double> end_at_first_;  // of the job, by now()
  control::ServerHandler handler_;
  std::string token_;
  std::unique_ptr<control::ControlServer> server_;
  std::unique_ptr<status::HttpServer> http_;
  StepProcess step_;
  std::optional<Supervisor> supervisor_;

  std::future<Preflight> looking_;  // the first look at the nodes, as long as it lasts
  std::stop_source stop_looking_;
  std::string stop_reason_;                             // why it was asked to end
  std::optional<std::set<std::string>> lost_at_start_;  // what the preflight found, until the first launch
  std::future<std::set<std::string>> asking_;           // about nodes whose ranks are late
  std::int64_t asked_in_ = 0;                           // generation
  int asks_ = 0;                                        // in it
  double ask_at_ = 0;
  std::map<control::NodeId, std::string> hosts_;              // of this generation's nodes
  std::set<pid_t> local_pids_;                                // of its ranks on this machine
  std::list<boost::asio::posix::stream_descriptor> watches_;  // one per such rank
  std::string first_gone_;                                    // which of them ended first
  std::map<int, control::Bye> byes_;
  std::string build_digest_;
  std::vector<status::CommitStatus> commits_;  // newest last
  std::int64_t total_steps_ = 0;
  std::future<void> writing_;
  std::atomic<bool> told_unwritten_{false};
  int ticks_ = 0, interrupts_ = 0;
  std::optional<int> code_;
  std::string reason_;
};

}  // namespace entrain::supervise
