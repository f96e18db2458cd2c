#include "coordinator/status/job_queue.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <tuple>

#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/status/sweep_rows.hpp"
#include "coordinator/status/utc_time.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"
#include "slurm/job_end.hpp"
#include "slurm/job_record.hpp"
#include "slurm/job_state.hpp"

namespace entrain::status {
namespace {

namespace fs = std::filesystem;

constexpr double kAskSeconds = 3;
constexpr std::chrono::seconds kServes{10};

// Those that begin this very run; a folder's list names the jobs of later stages, too.
struct Submitted {
  std::vector<std::string> ids{};
  std::string base{};           ///< the folder with the jobs' logs
  std::string stage{}, task{};  ///< task: of a row of a sweep
};

Submitted submitted_for(const std::string& run_dir) {
  Submitted out;
  std::string base = run_dir;
  if (const auto row = sweep_row_of(run_dir)) {
    base = fs::absolute(run_dir).lexically_normal().parent_path();
    out.task = std::to_string(*row);
  }
  out.base = base;
  for (const auto& record : slurm::read_jobs(base)) {
    std::error_code none;
    const fs::path script = record.script;  // of a row that was submitted again there is none
    const bool ours =
        script.empty() || (script.filename() == "job.sh" && fs::equivalent(script.parent_path(), base, none));
    if (!ours) continue;
    out.ids.push_back(record.job);
    out.stage = record.stage;
  }
  return out;
}

bool has_begun(const QueuedJob& job) {
  return job.state == "RUNNING" || job.state == "COMPLETING" || job.state == "SUSPENDED";
}

// What runs comes first, then what was submitted first.
auto order_of(const QueuedJob& job) {
  return std::make_tuple(!has_begun(job), job.array.size(), job.array, job.task.size(), job.task);
}

std::vector<QueuedJob> jobs_in(const std::string& answer) {
  std::vector<QueuedJob> jobs;
  std::istringstream lines(answer);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = slurm::split(line, '|');
    if (fields.size() < 5 || !slurm::JobState{fields[2]}.alive()) continue;
    jobs.push_back({fields[0], fields[1], fields[2], fields[4], std::nullopt});
    if (has_begun(jobs.back())) jobs.back().began = slurm::parse_end_time(fields[3]);
  }
  std::sort(jobs.begin(), jobs.end(), [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
  return jobs;
}

std::string words_of(const QueuedJob& job) {
  std::string text = cat("job ", job.id(), " is ", job.state);
  if (!has_begun(job) && !job.reason.empty() && job.reason != "None") text += cat(" (", job.reason, ')');
  const std::string advice = slurm::advice_for({job.state, job.reason});
  const bool usual = job.state == "PENDING" && advice == slurm::advice_for({"PENDING"});
  return advice.empty() || usual ? text : cat(text, ": ", advice);
}

// The job that is at work may have begun before the run's newest launch: then it is that launch's own.
bool is_of_newest_launch(const QueuedJob& job, const RunStatus& run) {
  if (!job.began) return false;
  for (auto event = run.events.rbegin(); event != run.events.rend(); ++event)
    if (event->kind == "launch") {
      const auto launched = parse_utc(event->time);
      return launched && static_cast<std::int64_t>(*job.began) <= *launched;
    }
  return false;
}

void wait_for(const QueuedJob& job, RunStatus& s) {
  // What is known of the run is from before this job: once that has begun, no news.
  std::string before = has_begun(job) ? "its supervisor has yet to come up" : s.reason;
  if (s.exit_code >= 0 && !has_begun(job))
    before = cat("it stopped with exit code ", s.exit_code, before.empty() ? "" : ": ", before);
  s.state = "waiting";
  s.reason = cat(words_of(job), before.empty() ? "" : "; ", before);
  s.exit_code = -1;
  s.job_id = job.id();
  s.world = 0;
  s.ranks.clear();
  s.views_per_second.reset();
  s.step_seconds.reset();
  s.eta_seconds.reset();
  s.deadline_seconds.reset();
  if (s.step != s.committed) s.loss.reset();
  s.step = s.committed;  // where it goes on
}

// Of a run that has left nothing though its job is gone: the job's log tells whether that began.
std::string never_came_up(const Submitted& submitted) {
  std::error_code none;
  const std::string& job = submitted.ids.back();
  const std::string log =
      cat(submitted.base, "/slurm-", job, submitted.task.empty() ? "" : "_" + submitted.task, ".out");
  if (fs::exists(log, none))
    return cat("its job ", job, " began and ended before the run did; the end of ", log, " says why");
  return cat("it was submitted (job ", job, ") and has not begun; no job of it is in the queue any more");
}

RunStatus not_begun(const std::string& run_dir, const std::string& now, const std::string& stage) {
  RunStatus s;
  s.run_dir = run_dir;
  s.run_id = name_of_run(run_dir);
  s.stage = stage;
  s.now = now;
  s.state = "unknown";
  return s;
}

}  // namespace

std::string QueuedJob::id() const {
  const bool number = !task.empty() && task.find_first_not_of("0123456789") == task.npos;
  return number ? cat(array, '_', task) : array;
}

const JobQueue::Answer& JobQueue::ask(const std::string& ids) {
  const auto now = std::chrono::steady_clock::now();
  Answer& answer = answers_[ids];
  if (answer.when.time_since_epoch().count() != 0 && now - answer.when < kServes) return answer;
  // %F and %K: of an array its id and the number of the element.
  const auto asked = slurm::run_command(
      {"squeue", "--noheader", "--array", "--jobs=" + ids, "--format=%F|%K|%T|%S|%r"}, kAskSeconds);
  answer = {jobs_in(asked.ok() ? asked.out : ""), "", now};
  // Forgotten ids: none of them is in the queue.
  if (!asked.ok() && asked.err.find("Invalid job id specified") == std::string::npos)
    answer.complaint = asked.complaint;
  return answer;
}

std::optional<RunStatus> JobQueue::add_to(std::optional<RunStatus> run, const std::string& run_dir,
                                          const std::string& now) {
  if (run && is_at_work(*run)) return run;
  if (run && has_ended(*run) && run->exit_code != 75 && run->exit_code != 76) return run;
  const Submitted submitted = submitted_for(run_dir);
  if (submitted.ids.empty()) return run;
  const Answer& answer = ask(join(submitted.ids, ","));
  const auto job = std::find_if(answer.jobs.begin(), answer.jobs.end(), [&](const QueuedJob& j) {
    return submitted.task.empty() || j.task == submitted.task;
  });
  const bool begun = run.has_value();
  if (!begun) run = not_begun(run_dir, now, submitted.stage);
  if (job == answer.jobs.end()) {
    if (!begun)
      run->reason =
          answer.complaint.empty()
              ? never_came_up(submitted)
              : cat("it was submitted (job ", submitted.ids.back(),
                    ") and has not begun; whether it waits nobody can tell here: ", answer.complaint);
  } else if (run->state == "unknown" && begun && is_of_newest_launch(*job, *run)) {
    run->reason += cat("; ", words_of(*job));
  } else {
    wait_for(*job, *run);
  }
  return run;
}

}  // namespace entrain::status
