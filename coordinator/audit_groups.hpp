#pragma once
#include <string>
#include <vector>

#include "coordinator/audit.hpp"
#include "coordinator/audit_batches.hpp"
#include "coordinator/audit_eras.hpp"

namespace entrain::coordinator {

/// For each era, which sample of its corpus belongs to which of these groups; fills rows of `traces`. DataError: the
/// corpus cannot be opened, has no groups, or has none of such a name.
TracedSamples samples_of_groups(const Eras& eras, RunCorpus& corpus, std::vector<GroupTrace>& traces);

/// Fills in when each plan met each group, and which commits saw it: those whose steps met it, and all trained from
/// them.
void trace_groups(const BatchAudit& batches, const Eras& eras, const checkpoint::LedgerPath& path,
                  std::vector<GroupTrace>& traces);

}  // namespace entrain::coordinator
