#pragma once
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/jsonl.hpp"
#include "coordinator/status/run_status.hpp"
#include "coordinator/supervise/supervisor.hpp"

namespace entrain::supervise {

/// RUN/events.jsonl: generations, failures, recoveries, commits, stops, over all supervisors of a run.
class RunEvents {
 public:
  /// Reads what is there; a torn last line goes.
  explicit RunEvents(const std::string& run_dir);

  void add(const std::string& kind, const std::string& text);
  /// The newest hundred, newest last.
  const std::vector<status::Event>& newest() const { return newest_; }
  /// When the first generation was launched; empty: now is the first time.
  const std::string& first_launch() const { return first_launch_; }
  /// Of the time since then, what lies between the end of one supervisor and the first launch of the next.
  double idle_seconds() const { return idle_seconds_; }
  /// What a supervisor needs to go on counting.
  const Past& past() const { return past_; }

 private:
  void keep(status::Event event);

  std::vector<status::Event> newest_;
  std::string first_launch_, last_end_;
  double idle_seconds_ = 0;
  Past past_;
  std::optional<checkpoint::JsonLines> file_;
};

}  // namespace entrain::supervise
