#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/find.hpp"
#include "checkpoint/ledger.hpp"
#include "checkpoint/store.hpp"

namespace entrain::checkpoint {

/// Where a run goes on. `from`: nothing means from the beginning.
struct ResumePoint {
  std::optional<Found> from;
  std::optional<Found>
      before;  ///< the whole checkpoint that `from` was trained from, if it is there and asked for
  std::vector<std::string> said;  ///< what was found and done on the way, for the log
};

/// Under the run lock: the newest checkpoint that is whole and not spoiled (why_spoiled). Others above it are quarantined; one
/// that was renamed but never recorded is promoted; the ledger says all of it, and ATTEMPT. CheckpointError: there are
/// checkpoints, but none can be used (nothing is changed then). `with_before`: looks for `before` too, which reads
/// every byte of it.
ResumePoint resume_point(const std::string& run_dir, CheckpointStore& store, Ledger& ledger,
                         bool with_before);

/// Why a run would not go on from a checkpoint that is whole; empty: it would.
std::string why_spoiled(const std::vector<nlohmann::json>& ledger, std::int64_t step);

/// What keeps a ledger from being the one that a checkpoint was committed with.
struct LedgerFlaw {
  std::string text;
  bool refuses = false;  ///< a resume does not go on; else it begins a new ledger, and says so
};
/// `manifest` says behind which line the checkpoint was committed. `head`: SHA-256 of the ledger's last line.
std::optional<LedgerFlaw> flaw_of_ledger(const nlohmann::json& manifest,
                                         const std::vector<nlohmann::json>& records, const std::string& head);

/// The steps whose checkpoints the ledger counts on (ledger_path.hpp).
std::set<std::int64_t> counted_steps(const std::vector<nlohmann::json>& ledger);

}  // namespace entrain::checkpoint
