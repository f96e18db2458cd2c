#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/control/beat.hpp"
#include "coordinator/control/progress.hpp"

namespace entrain::control {

/// Makes a node's heartbeats from its board.
class NodeBeats {
 public:
  NodeBeats(ProgressBoard board, std::string host);
  /// Ranks that have joined. A stack goes into one heartbeat only: the first after it was taken.
  NodeBeat next();
  /// Of rank 0's newest commit, where it is on this node; else -1.
  std::int64_t committed() const;

 private:
  ProgressBoard board_;
  std::string host_;
  std::vector<std::uint32_t> stacks_sent_;
};

/// Whether the kernel holds a process stopped (state T or t in /proc/PID/stat).
bool is_stopped(std::int64_t pid);

}  // namespace entrain::control
