#pragma once
#include <optional>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// Where a run stands by the files of its folder alone: status.json where a supervisor wrote it, else ledger.jsonl,
/// metrics.jsonl, exit.json, run.lock and events.jsonl, as `mpirun -n 4 entrain pretrain` leaves them. Never throws for
/// what a file holds. `state` is `unknown` where the run has not ended and nobody is at work on it, as far as can be told
/// from here; `reason` says when it was last heard of.
///
/// Nothing where the folder holds no run. `now`: "2026-03-02T10:04:11Z".
std::optional<RunStatus> status_from_files(const std::string& run_dir, const std::string& now);

}  // namespace entrain::status
