#include "slurm/job_script.hpp"

#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "slurm/job_header.hpp"
#include "slurm/job_parts.hpp"
#include "slurm/quote.hpp"

namespace entrain::slurm {
namespace {

std::string variables(const JobScript& job) {
  const bool sweep = !job.rows.empty(), element = sweep || job.slurm.chain == "array";
  std::string next, next_stage;
  for (const auto& dir : job.next) next += cat(next.empty() ? "" : " ", bash_quote(dir));
  for (const auto& name : job.next_stage) next_stage += cat(next_stage.empty() ? "" : " ", name);
  return cat("ENTRAIN=", bash_quote(job.program), "\nBASE=", bash_quote(job.run_dir), "\nRUN=$BASE",
             sweep ? "/row-$SLURM_ARRAY_TASK_ID" : "", "\nSTAGE=", job.stage,
             // The plain id would stand for every element of the array.
             "\nID=", element ? "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" : "$SLURM_JOB_ID", "\nNEXT=(",
             next, ") NEXT_STAGE=(", next_stage, ")  # stages that wait for this one\n");
}

std::string settings(const JobScript& job) {
  std::string out = cat(
      "# The settings as they were when this was submitted; files that are edited later change nothing.\n"
      "mkdir -p \"$RUN\" && cat > \"$RUN/job.yaml\" << 'END_OF_SETTINGS' || { say \"$RUN/job.yaml cannot be "
      "written\"; exit 73; }\n",
      job.settings, "END_OF_SETTINGS\nWORDS=()\n");
  if (job.rows.empty()) return out;
  out += "case $SLURM_ARRAY_TASK_ID in\n";
  for (std::size_t i = 0; i < job.rows.size(); ++i) {
    out += cat("  ", i, ") WORDS=(");
    for (const auto& word : job.rows[i]) out += cat(bash_quote(word), ' ');
    out += "\"run.dir=$RUN\") ;;\n";
  }
  return out + "  *) say \"this sweep has no row $SLURM_ARRAY_TASK_ID\"; exit 64 ;;\nesac\n";
}

std::string preparation(const JobScript& job) {
  const SlurmSection& s = job.slurm;
  if (s.modules.empty() && s.setup.empty() && job.files.empty()) return "";
  std::string out = cat(kPreparing, '\n');
  if (!s.modules.empty()) {
    out +=
        "type module > /dev/null 2>&1 || for file in /etc/profile.d/{modules,lmod,z00_lmod}.sh; do\n"
        "  [ -r \"$file\" ] && . \"$file\" && break\n"
        "done\n"
        "module purge\n";
    for (const auto& name : s.modules)
      out += cat("module load ", bash_quote(name), " || { say \"the module could not be loaded:\" ",
                 bash_quote(name), "; exit 78; }\n");
    out += "module list 2>&1\n";
  }
  if (!s.setup.empty()) out += "trap 'setup_failed $? \"$BASH_COMMAND\"' ERR\n";
  for (const auto& line : s.setup) out += line + '\n';
  if (!job.files.empty()) out += '\n' + staging(s.staging, job.files);
  return cat(out, kPrepared, '\n');
}

// How the run goes on after 75 and 76.
std::string again(const JobScript& job) {
  if (!job.rows.empty()) return cat(kCancelled, kBadNodes, kSuccessorOfRow, kRequeue);
  if (job.slurm.chain == "requeue") return cat(kCancelled, kBadNodes, kSuccessor, kRequeue);
  return kNextOfChain;
}

// What each exit code of the run does. A chain of jobs has its successors in the queue already: what would stop them all
// in the same way takes them out.
std::string verdicts(const JobScript& job) {
  const bool queued = job.slurm.chain != "requeue";
  std::string out = "case $rc in\n  0) : > \"$RUN/DONE\" ;;\n  75 | 76) again ;;\n";
  if (job.rows.empty())
    out += cat("  ", queued ? "64 | 65 | 69 | 70 | 73 | 78 | " : "", "90 | 93) ",
               "\"$ENTRAIN\" submit \"$RUN/job.yaml\" --cancel-chain ;;\n");
  return out + "esac\n" + (job.files.empty() ? "" : kUnstage) + "exit \"$rc\"\n";
}

}  // namespace

std::string script_path(const std::string& run_dir) { return run_dir + "/job.sh"; }

std::string job_script(const JobScript& job) {
  const std::int64_t ranks = job.slurm.nodes * job.slurm.ranks_per_node;
  return cat(job_header(job), '\n', kEnvironment, variables(job), kSay, kDone, settings(job), '\n',
             again(job), '\n', kTraps, '\n', preparation(job),
             job.slurm.nodes + job.slurm.spares > 1 ? kGuard : "", kRunBegins,
             "  \"$ENTRAIN\" run \"$RUN/job.yaml\" --stage \"$STAGE\" -n ", ranks, " \"${WORDS[@]}\" &\n",
             kRunEnds, '\n', verdicts(job));
}

std::string summary_script(const JobScript& last) {
  return cat(summary_header(last), "\nENTRAIN=", bash_quote(last.program),
             "\nBASE=", bash_quote(last.run_dir), "\nROWS=", last.rows.size(), '\n', kSummary,
             last.stage == "evaluate" ? "\"$ENTRAIN\" report \"$BASE\"/row-*\n" : "");
}

}  // namespace entrain::slurm
