#include <iostream>
#include <string>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/submit_cancel.hpp"
#include "coordinator/submit_checks.hpp"
#include "coordinator/submit_ended.hpp"
#include "coordinator/submit_jobs.hpp"
#include "coordinator/submit_stages.hpp"
#include "slurm/job_record.hpp"
#include "slurm/job_state.hpp"
#include "slurm/submission.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::coordinator {
namespace {

// Two jobs in one run folder: the second would end with 78, or make the first end.
void require_no_job(const SubmitStage& stage) {
  std::vector<std::string> ids;
  for (const auto& job : slurm::read_jobs(stage.run_dir)) ids.push_back(job.job);
  std::string complaint;
  const auto alive = slurm::alive_jobs(ids, complaint);
  if (!complaint.empty())
    log(Level::kWarning, cat("whether earlier jobs of ", stage.run_dir, " still run: ", complaint));
  if (alive.empty()) return;
  throw LaunchError(cat(stage.run_dir, ": job ", alive.begin()->first, " of this run is ",
                        alive.begin()->second, "; wait for it, or first: entrain submit ", stage.path,
                        " run.dir=", stage.run_dir, " --cancel-chain; scancel ", alive.begin()->first));
}

// A site may cut the limit that was asked for.
void tell_limit(const slurm::JobScript& job, const std::string& id) {
  if (job.slurm.time.empty()) return;
  const double asked = slurm::parse_time_limit(job.slurm.time), granted = slurm::granted_seconds(id);
  if (granted <= 0 || granted >= asked) return;
  log(Level::kWarning, cat("job ", id, ": this site gives it ", slurm::time_limit_text(granted),
                           ", slurm.time asks for ", slurm::time_limit_text(asked),
                           "; the run stops in time all the same, and goes on in the next job"));
}

void submit_line(const SubmitLine& line, const std::vector<slurm::JobScript>& jobs) {
  for (const auto& stage : line.stages) require_no_job(stage);
  const EndedRuns ended = ended_runs(line);
  std::cout << ended.text;
  if (ended.all) {
    std::cout << "nothing is submitted; to go on, ask for more (train.steps=...), or set another run.dir\n";
    return;
  }
  require_good(submit_findings(line, jobs));
  write_scripts(jobs, line.rows);
  std::vector<Queued> queue;
  std::vector<std::string> ids;
  try {
    submit_all(
        jobs,
        [&](const std::string& script, const std::vector<std::string>& options) {
          ids.push_back(slurm::submit(script, options));
          record_job(jobs, queue.back().stage, ids.back(), script);
          return ids.back();
        },
        queue);
  } catch (const Error& e) {
    if (ids.empty()) throw;
    slurm::cancel_pending(ids);
    std::string all;
    for (const auto& id : ids) all += (all.empty() ? "" : ", ") + id;
    throw Error(e.code(), cat(e.what(), "; of what was submitted before it (", all,
                              ") all that had not begun was cancelled"));
  }
  for (const auto& q : queue) {
    std::cout << queued_text(jobs, q) << std::flush;
    if (q.stage < jobs.size()) tell_limit(jobs[q.stage], q.ids[0]);
  }
}

}  // namespace

int submit_command(const std::vector<std::string>& args) {
  const SubmitLine line = parse_submit(args);
  if (line.answer) {
    std::cout << *line.answer;
  } else if (line.cancel) {
    cancel_chain(line);
  } else if (const auto jobs = jobs_of(line); line.print) {
    std::cout << printed_jobs(jobs);
  } else {
    submit_line(line, jobs);
  }
  return 0;
}

}  // namespace entrain::coordinator
