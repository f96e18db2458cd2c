#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/control/beat.hpp"
#include "coordinator/supervise/phase_limits.hpp"

namespace entrain::supervise {

/// One rank as the detector knows it.
struct Watched {
  control::RankBeat beat;
  std::string host;
  double alive_at = 0;  ///< when its heartbeat last grew
  double moved_at = 0;  ///< when its step, phase or count of collectives last changed
  bool connected = false;
};

/// What is wrong with a generation; nothing wrong: kFine.
struct Verdict {
  enum class Kind { kFine, kSuspect, kDead, kHang } kind = Kind::kFine;
  std::vector<int> ranks{};  ///< whom it is about; a hang of all in one collective has none
  std::string why{};
};

/// Whether the ranks of one generation live and move. Pure: the clock is what the caller says, in seconds; a process
/// that was itself not running for a while (SIGSTOP, a suspended job) calls slept().
class Detector {
 public:
  /// `limits`: learned in the generations before, if there were any.
  Detector(const Patience& patience, const PhaseLimits& limits, int world, bool has_steps, double now);

  void beat(const control::NodeBeat& beat, double now);
  /// A node's connection is gone: its ranks are dead if they are not back within the time of a suspect.
  void lost(const std::string& host, double now);
  /// A rank whose process is stopped, as somebody else than its node saw; until its next heartbeat.
  void stopped(int rank);
  /// All ranks of a node are about to end in order.
  void leaving(const std::string& host);
  void slept(double seconds);

  /// The worst that is true now.
  Verdict look(double now) const;

  /// Silence that means death: five times the longest gap between heartbeats seen lately, between suspect and dead.
  double dead_after() const;
  const PhaseLimits& limits() const { return limits_; }
  const std::map<int, Watched>& ranks() const { return ranks_; }
  /// All ranks have finished a step; of a stage without steps, their set-up.
  bool trains() const;
  /// Whom all others have been waiting for in a collective for some seconds; nobody: empty.
  std::vector<int> waited_for(double now) const;
  /// Who is behind, most behind first: a table for people.
  std::string table(double now) const;

 private:
  std::optional<Verdict> silent(double now) const;
  std::optional<Verdict> stuck(double now) const;
  std::vector<int> culprits() const;
  control::Phase slowest_phase(const std::vector<int>& behind) const;

  Patience patience_;
  PhaseLimits limits_;
  int world_;
  bool has_steps_;  // stages without steps may compute for long without a sign
  double began_;
  std::map<int, Watched> ranks_;
  std::deque<double> gaps_;
  bool trained_ = false;
};

}  // namespace entrain::supervise
