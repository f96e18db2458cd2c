#pragma once
#include <string>
#include <vector>

// The fixed parts of a job's script, in bash; each is explained by its comments, which the script keeps.
namespace entrain::slurm {

extern const char* const kEnvironment;
extern const char* const kSay;
extern const char* const kDone;
extern const char* const kCancelled;
extern const char* const kPreparing;
extern const char* const kPrepared;
extern const char* const kBadNodes;
extern const char* const kSuccessor;
extern const char* const kSuccessorOfRow;
extern const char* const kRequeue;
extern const char* const kNextOfChain;
extern const char* const kTraps;
extern const char* const kGuard;
extern const char* const kRunBegins;
extern const char* const kRunEnds;
extern const char* const kUnstage;
extern const char* const kSummary;

/// Copies the files into this folder of every node, once per node, and has the run take the copies. `folder` may begin
/// with a variable that the site sets in the job: $SLURM_TMPDIR/x.
std::string staging(const std::string& folder, const std::vector<std::string>& files);

}  // namespace entrain::slurm
