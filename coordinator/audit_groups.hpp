#pragma once
#include <string>
#include <vector>

#include "checkpoint/ancestry.hpp"
#include "coordinator/audit.hpp"
#include "coordinator/audit_batches.hpp"
#include "coordinator/audit_eras.hpp"

namespace entrain::coordinator {

/// Whoever shares an image with a group is traced with it. DataError as samples_of_groups().
void add_groups_kept_under(RunCorpus& corpus, std::vector<GroupTrace>& traces);

/// Which groups the weights that a run began from had seen.
void mark_ancestors(const checkpoint::AncestorGroups& began, std::vector<GroupTrace>& traces);

/// For each era, which sample of its corpus belongs to which of these groups; fills rows of `traces`. DataError: the
/// corpus cannot be opened, has no groups, or none of those that were asked for, not even in another split.
TracedSamples samples_of_groups(const Eras& eras, RunCorpus& corpus, std::vector<GroupTrace>& traces);

/// Fills in when each plan met each group, and which commits saw it: those whose steps met it, and all trained from
/// them.
void trace_groups(const BatchAudit& batches, const Eras& eras, const checkpoint::LedgerPath& path,
                  std::vector<GroupTrace>& traces);

}  // namespace entrain::coordinator
