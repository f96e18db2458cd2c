#pragma once
#include <optional>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// What a ledger tells of the run: stage, generation, ranks, commits that count, failures, events.
struct LedgerView {
  RunStatus status;          ///< as far as the ledger goes; `state` is ended or unknown
  std::string last_start{};  ///< time of the last START; empty: none
  bool ended = false;        ///< END came after it
  std::string broken{};      ///< why it cannot be read
};
LedgerView view_ledger(const std::string& run_dir);

}  // namespace entrain::status
