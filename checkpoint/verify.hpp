#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::checkpoint {

/// What reading back one checkpoint found.
struct Verified {
  std::int64_t step = 0;
  std::string name{};                   ///< "step-00001200", ".tmp-step-00001300"
  std::vector<std::string> problems{};  ///< why a resume would not take it; empty: it would
  bool recorded = true;                 ///< the ledger, where there is one, has it
  std::uint64_t bytes = 0;
  std::size_t files = 0, tensors = 0;
};

struct Verification {
  std::vector<Verified> checkpoints;     ///< newest first
  std::vector<std::string> uncommitted;  ///< .tmp-* and .trash-*: no resume looks at them
  std::vector<std::string> quarantined;  ///< quarantine-*: taken out of use, kept for a person to look at
  std::string ledger;                    ///< what is wrong with the ledger; empty: nothing, or there is none
  bool ledger_refuses = false;           ///< a resume does not go on beside such a ledger
  std::int64_t pick = -1;                ///< the step a resume goes on from; -1: none
  bool newest_is_whole = false;
};

/// Reads back every byte of every checkpoint of a run. CheckpointError where there is no checkpoints/ folder.
Verification verify_run(const std::string& run_dir);

}  // namespace entrain::checkpoint
