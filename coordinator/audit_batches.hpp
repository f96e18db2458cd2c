#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/ledger_path.hpp"
#include "coordinator/audit_eras.hpp"
#include "coordinator/epoch_marks.hpp"

namespace entrain::coordinator {

/// How one commit's steps met a group.
struct Hit {
  std::int64_t first_step = 0, first_epoch = 0, last_step = 0, times = 0;
};

struct BatchAudit {
  std::int64_t checked = 0;       ///< steps whose digest was compared, those of undone commits included
  std::vector<EpochMarks> marks;  ///< one per era: of the steps that count
  std::map<std::pair<std::size_t, std::size_t>, Hit> hits;  ///< by commit and group
};

/// For each era, the group (an index) of each sample of its corpus that is traced, -1 for all others; empty: none is.
using TracedSamples = std::vector<std::vector<std::int32_t>>;

/// Recomputes every batch of every COMMIT whose era has a plan, compares digests, and marks what the steps that count
/// saw. What disagrees is added to `wrong`: every sample seen twice, every batch that is not the plan's (the first few
/// one by one).
BatchAudit audit_batches(const std::vector<nlohmann::json>& ledger, const checkpoint::LedgerPath& path,
                         const Eras& eras, const TracedSamples& traced, int threads,
                         std::vector<std::string>& wrong);

}  // namespace entrain::coordinator
