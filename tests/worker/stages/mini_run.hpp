#pragma once
#include <cstdint>
#include <string>

#include "tests/support/faulty_file_system.hpp"

namespace entrain::tests {

/// A training run without a network: real plan, commits, ledger and resume, over threads as ranks; the "weights" are
/// integers that depend on every sample, its epoch and its place, in the order in which they were trained.
struct MiniRun {
  std::string dir;
  std::int64_t num_samples = 50, lanes = 8, lane_images = 2, total_steps = 24;
  std::uint64_t seed = 1;
  bool forbid = false;  ///< samples 2k and 2k + 1 are of one group
  std::string every = "3steps";
  bool waits = false;  ///< steps are as long as commits; else commits take several steps
  std::int64_t elements =
      64;  ///< of each of eight tensors; from 150000 on there is a shard for each of eight ranks
};

/// What goes wrong in one generation.
struct Mishap {
  int rank = -1;                ///< whose; -1: nothing goes wrong
  std::int64_t step = -1;       ///< the rank is gone after computing this step; -1: not so
  std::int64_t operation = -1;  ///< the rank's file operation of this number fails in this way; -1: none
  Fault fault = Fault::kPower;
};

/// One generation on `world` ranks: true if it came to the end of the run. Never throws for what Mishap asks for.
bool run_generation(const MiniRun& run, int world, const Mishap& mishap = {});

}  // namespace entrain::tests
