#include <nlohmann/json.hpp>
#include <string>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "coordinator/doctor/finding.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"
#include "slurm/site.hpp"

namespace entrain::doctor {
namespace {

using Grade = Finding::Grade;
using slurm::CommandResult;
constexpr double kStartSeconds = 60;
constexpr double kUsualKillWait = 30;  // seconds, Slurm's own default

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// How long a run has to commit once Slurm has sent it TERM.
Finding times_of(const std::string& config, const slurm::Site& site) {
  const std::string what =
      cat("KillWait ", slurm::field_of(config, "KillWait"), " s, SlurmdTimeout ",
          slurm::field_of(config, "SlurmdTimeout"), " s, PreemptMode ", site.preempt_mode);
  if (site.kill_wait.value_or(kUsualKillWait) >= kUsualKillWait) return {Grade::kFine, "slurm", what, ""};
  return {Grade::kMind, "slurm", what,
          cat("after scancel, or a preemption without grace, a run has ", *site.kill_wait,
              " s to commit; where that is too short it goes back to the commit before: commit often "
              "(checkpoint.every), or ask for KillWait=",
              kUsualKillWait)};
}

}  // namespace

Findings look_at_launcher(const std::string& worker) {
  const auto version = slurm::run_command({"mpirun", "--version"}, slurm::kAskSeconds);
  if (version.end == CommandResult::End::kAbsent)
    return {{Grade::kBad, "launcher", "mpirun is not on PATH", "install Open MPI, or load its module"}};
  Findings out{{Grade::kFine, "launcher", first_line(version.out), ""}};
  const auto two = supervise::launch_words({{""}, 2, 2}, "mpirun", {}, {worker, "preflight"}, "0", 0);
  const auto ran = slurm::run_command(supervise::with_environment(two), kStartSeconds);
  const auto answer = checkpoint::last_object(ran.out);
  if (!ran.ok() || !answer.is_object()) {
    out.push_back({Grade::kBad, "launcher",
                   cat("two ranks do not come up under mpirun: ",
                       ran.complaint.empty() ? first_line(ran.err) : ran.complaint),
                   "try it by hand: mpirun -n 2 entrain-worker preflight"});
  } else if (answer.value("world", 0) != 2) {
    out.push_back({Grade::kBad, "launcher",
                   cat("mpirun started 2 ranks that see a world of ", answer.value("world", 0)),
                   "this mpirun is of another MPI than Entrain was built with; load that one"});
  } else {
    out.push_back({Grade::kFine, "launcher",
                   cat("2 ranks reduce ", answer.value("megabytes", 0.0), " MB of known numbers in ",
                       static_cast<int>(1e3 * answer.value("seconds", 0.0)), " ms, the sum is right"),
                   ""});
  }
  return out;
}

Findings look_at_libraries(const std::string& worker) {
  const auto told = slurm::run_command({worker, "versions"}, kStartSeconds);
  const auto v = checkpoint::last_object(told.out);
  if (!told.ok() || !v.is_object())
    return {{Grade::kBad, "libraries",
             cat(worker, " does not start: ", told.complaint.empty() ? first_line(told.err) : told.complaint),
             "it must lie beside `entrain`; are its libraries (LibTorch, MPI) where they were when it was "
             "built?"}};
  Findings out;
  for (const char* name : {"libtorch", "mpi", "hdf5", "cpu"})
    out.push_back({Grade::kFine, "libraries", cat(name, ' ', v.value(name, "?")), ""});
  return out;
}

Findings look_at_slurm() {
  const auto config = slurm::run_command({"scontrol", "show", "config"}, slurm::kAskSeconds);
  if (config.end == CommandResult::End::kAbsent) return {{Grade::kFine, "slurm", "not on this machine", ""}};
  if (!config.ok())
    return {{Grade::kMind, "slurm", cat("does not answer: ", slurm::why_silent(config)),
             "jobs cannot be submitted from here; runs without jobs (entrain run, mpirun) do not need it"}};
  const slurm::Site site = slurm::parse_site(config.out, "");
  Findings out{{Grade::kFine, "slurm", cat("version ", site.version), ""}};
  const auto mpi = slurm::run_command({"srun", "--mpi=list"}, slurm::kAskSeconds);
  if ((mpi.out + mpi.err).find("pmix") != std::string::npos)
    out.push_back({Grade::kFine, "slurm", "srun offers PMIx", ""});
  else
    out.push_back({Grade::kMind, "slurm", "srun offers no PMIx",
                   "slurm.launcher=mpirun is used instead; `auto` finds that out"});
  if (site.job_requeue != true)
    out.push_back({Grade::kMind, "slurm", "jobs may not be requeued unless asked for (JobRequeue=0)",
                   "entrain submit asks for it (--requeue); if that is refused, set slurm.chain=singleton"});
  out.push_back(times_of(config.out, site));
  return out;
}

}  // namespace entrain::doctor
