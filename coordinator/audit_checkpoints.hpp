#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "checkpoint/ledger.hpp"
#include "checkpoint/ledger_path.hpp"

namespace entrain::coordinator {

/// What RUN/checkpoints says to the ledger.
struct DiskAudit {
  std::vector<std::size_t> on_disk;  ///< commits whose checkpoint is there, and is that one
  std::size_t vouched_lines = 0;     ///< the last line that a checkpoint was committed behind
  std::vector<std::string> wrong, notes;
};

/// Compares the manifests of RUN/checkpoints with the COMMIT records, and the line that each was committed behind with
/// the lines that are there. The shards are not read (entrain verify does that).
DiskAudit audit_checkpoints(const std::string& run_dir, const checkpoint::LedgerText& ledger,
                            const checkpoint::LedgerPath& path);

}  // namespace entrain::coordinator
