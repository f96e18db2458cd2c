#pragma once
#include <cstdint>

#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

/// What one rank has to say when a step is done.
struct ControlWord {
  bool stop = false;    ///< a signal came, or the job's end is near
  bool commit = false;  ///< a commit is due
  bool busy = false;    ///< this rank's part of a commit in the background is still being written
};

/// On how many ranks each of them is so; the same on every rank, which is what lets all of them act after the same step.
struct Agreed {
  std::int64_t stop = 0, commit = 0, busy = 0;
};

/// Collective: one sum of one integer.
Agreed agree(const ControlWord& mine, Collectives& comm);

}  // namespace entrain::worker
