#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace entrain::coordinator {

/// What to audit.
struct AuditQuestion {
  std::string run;                  ///< run directory
  std::vector<std::string> groups;  ///< patients to trace, as the corpus names them
  int threads = 0;                  ///< 0: one per core
};

/// An epoch that did not see all samples.
struct OpenEpoch {
  std::int64_t epoch = 0, seen = 0;
  bool cut = false;  ///< other patients were left out from then on; else the epoch is still running
  std::vector<std::int64_t> missing;  ///< samples it did not see, numbered as in the corpus of its plan
};

/// The steps that one plan ruled, on the path that counts.
struct AuditedPlan {
  std::size_t line = 0;  ///< of the START that brought it
  std::int64_t first = 0, last = 0, num_samples = 0, global_batch = 0;
  std::uint64_t seed = 0;
  std::string same_group, why_unchecked;  ///< `why_unchecked` empty: recomputed, and every batch compared
  std::int64_t groups_left_out = 0, images_left_out = 0;
  std::int64_t whole_epochs = 0;
  std::vector<OpenEpoch> open;
};

/// A COMMIT of the ledger.
struct AuditedCommit {
  std::size_t line = 0;
  std::int64_t step = 0, generation = 0;
  bool counts = false, on_disk = false;
  std::string bad;  ///< the reason; empty: it is not
};

/// How a plan met a group.
struct GroupInPlan {
  std::size_t plan = 0;   ///< index into AuditReport::plans
  std::int64_t rows = 0;  ///< images of the group in the corpus of this plan; 0: left out
  std::int64_t first_step = 0, first_epoch = -1, last_step = 0;  ///< on the path that counts; 0: not seen
  std::int64_t times = 0;  ///< views pairs of its images trained on, on the path that counts
};

struct GroupTrace {
  std::string group;
  std::int64_t rows = 0;  ///< in the corpus, nobody left out
  std::vector<GroupInPlan> plans;
  std::vector<std::size_t> saw, did_not;  ///< indices into AuditReport::commits
  std::size_t excluded_line = 0;          ///< of the START that left it out; 0: none
  bool known = true;                      ///< in the corpus, if only in rows that data.use_splits leaves out
  std::vector<std::string> kept_under;    ///< groups under which images of it stand, traced too
  bool ancestor = false;  ///< seen by the weights that the run began from, so by all checkpoints
};

struct AuditReport {
  std::string run;
  std::size_t lines = 0;
  std::string torn;  ///< a last line that is half an append
  std::int64_t generations = 0, last_step = 0, checked_steps = 0;
  std::vector<std::int64_t> worlds;  ///< ranks of each generation
  std::string from, until;           ///< times of the first and the last record
  std::vector<AuditedPlan> plans;
  std::vector<AuditedCommit> commits;
  std::size_t vouched_lines = 0;  ///< a checkpoint on the disk was committed behind this line
  std::int64_t checkpoints_on_disk = 0;
  std::vector<GroupTrace> groups;
  std::string began_from;              ///< init.from, where it is not scratch and groups were asked for
  std::vector<std::string> wrong;      ///< the ledger or a checkpoint disagrees: exit code 73
  std::vector<std::string> unchecked;  ///< what could not be checked, and why: exit code 65
  std::vector<std::string> notes;

  int exit_code() const;
};

/// Reads RUN/ledger.jsonl, recomputes every batch from the plans it names, and counts. Changes nothing. DataError: a
/// group that the corpus does not have. CheckpointError: there is no ledger.
AuditReport audit_run(const AuditQuestion& question);

std::string audit_text(const AuditReport& report);
nlohmann::ordered_json audit_json(const AuditReport& report);

}  // namespace entrain::coordinator
