#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordinator/supervise/detector.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// What the supervisor does to the world: processes and sockets in `entrain run`, a simulation elsewhere.
class World {
 public:
  virtual ~World() = default;
  virtual void launch(std::int64_t generation, const Placement& placement) = 0;
  /// Ends the step, gently to nobody. exited() follows, at the latest after a while.
  virtual void kill() = 0;
  /// All ranks finish their step, commit and leave.
  virtual void ask_stop(const std::string& reason) = 0;
  virtual void ask_stacks() = 0;
  /// What happened, for events.jsonl and the log; warning: a person should look.
  virtual void tell(const std::string& kind, const std::string& text, bool warning) = 0;
  /// The nodes that the scheduler says are gone.
  virtual std::set<std::string> down_nodes() = 0;
  virtual void finish(int code, const std::string& reason) = 0;
};

/// How a generation ended, as far as its launcher and its ranks say.
struct Ending {
  int code = 0;          ///< exit.json's, else that of a rank, else the launcher's
  std::string reason{};  ///< in words, where there are any
  std::int64_t committed = 0;
  bool told = false;      ///< `code` is from exit.json of this generation: rank 0 knew how it ends
  bool never_up = false;  ///< the launcher ended by itself before any rank spoke
  std::string
      own_stop{};  ///< with 75: why the ranks may have stopped, if nobody had asked them; empty: not known
};

struct SupervisorSettings {
  Patience patience{};
  Fleet fleet{};
  int max_cycles = 3;          ///< failed generations in a row without a new commit
  bool has_steps = true;       ///< the stage trains by steps (pretrain)
  double stop_patience = 600;  ///< after ask_stop
};

/// What a supervisor that starts anew knows of the run (events.jsonl, control.json).
struct Past {
  std::int64_t generation = 0, committed = 0;
  int cycles = 0, failures = 0;
  std::set<std::string> out{};
};

/// The supervisor of a run: starts a generation of ranks, watches it, and after a failure starts the next one on what is
/// left. A state machine without clock, process or socket of its own.
class Supervisor {
 public:
  enum class State { kStarting, kTraining, kStopping, kEnding, kRecovering, kEnded };

  Supervisor(SupervisorSettings settings, World& world, Past past = {});

  void start(double now);
  /// Instead of start(): a generation of an earlier supervisor still runs.
  void adopt(const Placement& placement, double now);

  void beat(const control::NodeBeat& beat, double now);
  void committed(std::int64_t step);
  void lost(const std::string& host, double now);
  /// The scheduler's word that these nodes are gone, or start no step: of those that have not spoken yet it ends the
  /// generation, whose launcher might wait for them for ever.
  void gone(const std::set<std::string>& nodes, double now);
  /// This rank, by what its machine says, is stopped (SIGSTOP): it cannot say so itself where it speaks for its node.
  void stopped(int rank);
  /// The ranks of a node have said that they end: their silence is no news any more.
  void leaving(const std::string& host);
  void exited(const Ending& ending, double now);
  void stop(const std::string& reason, double now);
  /// The ranks end at once, without a commit, and the run with them: somebody does not want to wait.
  void stop_at_once();
  /// Several times a second.
  void tick(double now);

  State state() const { return state_; }
  std::int64_t generation() const { return past_.generation; }
  std::int64_t committed() const { return past_.committed; }
  int failures() const { return past_.failures; }
  const Placement& placement() const { return placement_; }
  const Detector* detector() const { return detector_ ? &*detector_ : nullptr; }
  const Verdict& verdict() const { return verdict_; }
  const std::string& reason() const { return reason_; }

 private:
  void launch(double now);
  void notice_sleep(double now);
  void leave_out(const std::set<std::string>& nodes);
  void watch(double now);
  void end_generation(const Verdict& verdict, double now);
  void recover(const Ending& ending, double now);
  std::string why_stopped(const Ending& ending);
  void finish(int code, const std::string& reason);
  void blame(const Verdict& verdict);
  void tell_who_is_behind(double now);

  SupervisorSettings settings_;
  World& world_;
  Past past_;
  State state_ = State::kStarting;
  Placement placement_;
  PhaseLimits limits_;  // learned before the present generation
  std::optional<Detector> detector_;
  Verdict verdict_;
  std::string reason_;
  std::set<std::string> suspected_nodes_;  // of this generation's failure
  double awake_at_ = -1, kill_at_ = 0, relaunch_at_ = 0, stop_at_ = 0;
  bool stop_asked_ = false, at_once_ = false, told_training_ = false;
};

}  // namespace entrain::supervise
