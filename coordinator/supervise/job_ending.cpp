#include "coordinator/supervise/job_ending.hpp"

#include <cstdlib>
#include <sstream>

#include "configs/cat.hpp"
#include "slurm/commands.hpp"

namespace entrain::supervise {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The plain id of an element of an array may be that of the whole array.
std::string job_id() {
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  return array.empty() ? variable("SLURM_JOB_ID") : cat(array, '_', variable("SLURM_ARRAY_TASK_ID"));
}

bool is_over(const std::string& state) {
  for (const char* word :
       {"COMPLETING", "CANCELLED", "PENDING", "PREEMPTED", "REQUEUED", "TIMEOUT", "DEADLINE"})
    if (state == word) return true;
  return false;
}

}  // namespace

bool job_is_ending() {
  const std::string job = job_id();
  if (job.empty()) return false;
  const auto told = slurm::run_command(
      {"squeue", "--noheader", "--jobs=" + job, "--Format=State:20,TimeLeft:20,PreemptTime:30"},
      slurm::kAskSeconds);
  std::istringstream words(told.out);
  std::string state, left, preempted;
  if (!told.ok() || !(words >> state >> left >> preempted)) return false;
  return is_over(state) || left == "INVALID" || left == "0:00" || preempted != "N/A";
}

bool step_was_stopped(const std::string& said) {
  if (said.find(" CANCELLED ") == said.npos) return false;
  for (const char* other : {"NODE FAILURE", "Node failure", "MPI_ABORT"})
    if (said.find(other) != said.npos) return false;
  // srun: error: n3: tasks 2-3: Terminated
  bool stopped = false;
  for (std::size_t at = 0; (at = said.find(": task", at)) != said.npos; ++at) {
    const auto end = said.find(": ", at + 2);
    if (end == said.npos) break;
    if (said.compare(end + 2, 10, "Terminated") != 0) return false;
    stopped = true;
  }
  return stopped;
}

}  // namespace entrain::supervise
