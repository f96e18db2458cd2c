#include "slurm/job_state.hpp"

#include <array>
#include <sstream>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"

namespace entrain::slurm {
namespace {

struct Advice {
  std::string_view state, text;
};

constexpr std::array kAdvice{
    Advice{"PENDING", "waits; `squeue --start -j JOB` guesses when it starts"},
    Advice{"TIMEOUT",
           "reached its time limit before it could stop by itself: ask for an earlier warning "
           "(slurm.signal_lead) and submit again; it goes on from the last commit"},
    Advice{"OUT_OF_MEMORY",
           "took more memory than it had: raise slurm.memory, or lower slurm.ranks_per_node or "
           "batch.lane_images"},
    Advice{"NODE_FAIL", "lost a node: submit again; it goes on from the last commit"},
    Advice{"BOOT_FAIL", "its nodes did not boot: submit again, with slurm.exclude for the nodes it had"},
    Advice{"PREEMPTED", "gave way to another job: submit again; it goes on from the last commit"},
    Advice{"DEADLINE", "could not end before the deadline that it was given: submit again without one"},
    Advice{"CANCELLED", "was cancelled by a person or by its dependency; submit again to go on"},
    Advice{"FAILED", "ended with an error; the end of its log and RUN/exit.json say which"},
    Advice{"REQUEUE_HOLD", "is held after a requeue; `scontrol release JOB` lets it go"},
    Advice{"SPECIAL_EXIT", "is held after a requeue; `scontrol release JOB` lets it go"},
    Advice{"SUSPENDED", "is suspended by an administrator or a gang scheduler; it goes on by itself"},
};

// Reasons of a PENDING job with which it never starts.
constexpr std::array kHopeless{
    Advice{"DependencyNeverSatisfied", "a job that it waits for has failed; cancel it and submit again"},
    Advice{"PartitionTimeLimit", "asks for more time than its partition gives; lower slurm.time"},
    Advice{"PartitionNodeLimit", "asks for more nodes than its partition gives; lower slurm.nodes"},
    Advice{"JobHeldUser", "is held; `scontrol release JOB` lets it go"},
    Advice{"JobHeldAdmin", "is held by an administrator; ask them"},
    Advice{"BadConstraints",
           "no node has what it asks for; look at slurm.constraint and slurm.gpus_per_node"},
    Advice{"launch_failed_requeued_held",
           "could not be started and is held; `scontrol release JOB` tries again"},
};

}  // namespace

bool JobState::alive() const {
  for (const std::string_view word :
       {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD",
        "REQUEUE_FED", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT"})
    if (state == word) return true;
  return false;
}

JobState job_state(const std::string& job_id) {
  const auto queue = run_command({"squeue", "--noheader", "--jobs=" + job_id, "--format=%T|%r"}, kAskSeconds);
  if (queue.ok() && !queue.out.empty()) {
    const auto fields = split(queue.out.substr(0, queue.out.find('\n')), '|');
    return {fields[0], fields.size() > 1 ? fields[1] : ""};
  }
  if (queue.end == CommandResult::End::kTimedOut)
    return {"UNKNOWN", queue.complaint};  // scontrol would hang, too
  const auto control = run_command({"scontrol", "--oneliner", "show", "job", job_id}, kAskSeconds);
  const std::string state = field_of(control.out, "JobState");
  if (control.ok() && !state.empty()) return {state, field_of(control.out, "Reason")};
  return {"UNKNOWN", cat(queue.complaint.empty() ? "squeue does not know it" : queue.complaint, "; ",
                         control.complaint.empty() ? "scontrol does not know it" : control.complaint)};
}

std::map<std::string, std::string> alive_jobs(const std::vector<std::string>& job_ids,
                                              std::string& complaint) {
  std::map<std::string, std::string> out;
  if (job_ids.empty()) return out;
  // %F: of an array the array's id. An id that Slurm has forgotten is an error only where it stands alone.
  const auto queue =
      run_command({"squeue", "--noheader", "--jobs=" + join(job_ids, ","), "--format=%F|%T"}, kAskSeconds);
  if (!queue.ok() && queue.err.find("Invalid job id specified") == std::string::npos)
    complaint = queue.complaint;
  if (!queue.ok()) return out;
  std::istringstream lines(queue.out);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = split(line, '|');
    if (fields.size() < 2 || !JobState{fields[1]}.alive()) continue;
    std::string& state = out[fields[0]];
    if (state != "RUNNING") state = fields[1];
  }
  return out;
}

std::string advice_for(const JobState& job) {
  if (!job.known()) return "its state is unknown (" + job.reason + "); RUN/exit.json tells how the run ended";
  if (job.state == "PENDING")
    for (const auto& [reason, text] : kHopeless)
      if (job.reason == reason) return std::string(text);
  for (const auto& [state, text] : kAdvice)
    if (job.state == state) return std::string(text);
  return "";
}

}  // namespace entrain::slurm
