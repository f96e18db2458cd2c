#include "coordinator/submit_cancel.hpp"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"
#include "slurm/job_record.hpp"
#include "slurm/job_state.hpp"
#include "slurm/submission.hpp"

namespace entrain::coordinator {
namespace {

struct Part {
  std::string id{};  // 12, an element of an array, 12_1, or all of it that waits, 12_[2-9%1]
  std::string state{};
};

// slurm::alive_jobs tells of an array only that it runs, while some of its elements wait.
std::vector<Part> parts_alive(const std::vector<std::string>& job_ids) {
  std::vector<Part> out;
  if (job_ids.empty()) return out;
  const auto queue = slurm::run_command(
      {"squeue", "--noheader", "--jobs=" + join(job_ids, ","), "--format=%i|%T"}, slurm::kAskSeconds);
  // One that Slurm has forgotten, and which stands alone.
  if (!queue.ok() && queue.err.find("Invalid job id specified") != std::string::npos) return out;
  if (!queue.ok()) throw Error(ExitCode::kPreflight, "nothing was cancelled: " + queue.complaint);
  std::istringstream lines(queue.out);
  for (std::string text; std::getline(lines, text);) {
    const auto fields = slurm::split(text, '|');
    if (fields.size() > 1 && slurm::JobState{fields[1]}.alive()) out.push_back({fields[0], fields[1]});
  }
  return out;
}

}  // namespace

void cancel_chain(const SubmitLine& line) {
  for (const auto& stage : line.stages) {
    std::vector<std::string> ids, jobs;
    for (const auto& job : slurm::read_jobs(stage.run_dir)) ids.push_back(job.job);
    const auto parts = parts_alive(ids);
    // Whole jobs: an element may begin, or come back, between question and answer.
    for (const auto& part : parts)
      if (const auto job = part.id.substr(0, part.id.find('_'));
          std::find(jobs.begin(), jobs.end(), job) == jobs.end())
        jobs.push_back(job);
    slurm::cancel_pending(jobs);
    if (parts.empty()) std::cout << stage.run_dir << ": no job of this run is in the queue\n";
    for (const auto& part : parts)
      std::cout << "job " << part.id
                << (part.state == "PENDING"
                        ? "  cancelled"
                        : cat("  is ", part.state, " and goes on; to end it: scancel ", part.id))
                << '\n';
  }
}

}  // namespace entrain::coordinator
