#pragma once
#include <stop_token>
#include <string>
#include <vector>

namespace entrain::slurm {

/// How a program ended and what it said.
struct CommandResult {
  enum class End {
    kExited,
    kAbsent,    ///< there is no such program on PATH
    kTimedOut,  ///< it was killed; what it had begun may still have happened
    kStopped,   ///< the caller's stop_token said so; as kTimedOut
  };
  End end = End::kExited;
  int code = 0;  ///< exit code; 128 + n where signal n ended it; -1 unless kExited
  std::string out{}, err{};

  bool ok() const { return end == End::kExited && code == 0; }
  /// What went wrong, on one line: `squeue: did not answer within 10 s`; else what it wrote on stderr.
  std::string complaint{};
};

/// Seconds for a question to slurmctld, and for sbatch, which a busy slurmctld may let wait.
constexpr double kAskSeconds = 10, kSubmitSeconds = 60;

/// Runs a program found on PATH (squeue, scontrol, sinfo, sbatch, scancel, srun) without a shell, with `input` on its
/// stdin, in a process group of its own that is killed after `seconds`: a slurmctld that hangs never hangs us. Any
/// thread may call. Once `stop` is requested the group gets SIGTERM, by which srun ends its step, and is killed if that does
/// not end it. Never throws for what the program does; LaunchError where no process can be had.
CommandResult run_command(const std::vector<std::string>& words, double seconds,
                          const std::string& input = "", const std::stop_token& stop = {});

}  // namespace entrain::slurm
