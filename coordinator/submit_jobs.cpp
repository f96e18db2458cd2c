#include "coordinator/submit_jobs.hpp"

#include <algorithm>
#include <filesystem>

#include "checkpoint/atomic_file.hpp"
#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "sharding/file_list.hpp"
#include "slurm/job_record.hpp"
#include "slurm/quote.hpp"
#include "slurm/signal_lead.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::coordinator {
namespace {

namespace fs = std::filesystem;

std::int64_t lead_of(const SubmitStage& stage, const slurm::RunTimes& times) {
  const SlurmSection& s = stage.resolved.config.slurm;
  if (s.signal_lead == "auto")
    return slurm::signal_lead_seconds(times, s.time.empty() ? 0 : slurm::parse_time_limit(s.time));
  const double lead = parse_duration(s.signal_lead);
  if (lead > 65535)
    throw ConfigError(cat("slurm.signal_lead: Slurm takes at most 65535 s, got ", s.signal_lead));
  return static_cast<std::int64_t>(lead);
}

// What is printed is no file yet, and of several stages or rows no single script.
std::string way_to_run(const SubmitLine& line, const std::string& run_dir) {
  if (line.stages.size() > 1 || !line.rows.empty())
    return "the same command without --print, which writes each script to its run.dir and submits it";
  const std::string script = slurm::bash_quote(slurm::script_path(run_dir));
  return cat("mkdir -p ", slurm::bash_quote(run_dir), " && ", line.typed, " > ", script, " && sbatch ",
             script);
}

slurm::JobScript job_of(const SubmitLine& line, std::size_t i) {
  const SubmitStage& stage = line.stages[i];
  slurm::JobScript job;
  job.typed = line.typed;
  if (line.print) job.run_with = way_to_run(line, stage.run_dir);
  job.program = fs::read_symlink("/proc/self/exe").parent_path() / "entrain";
  job.stage = stage.name;
  job.run_dir = stage.run_dir;
  job.work_dir = fs::current_path();
  job.settings = settings_text(stage.resolved);
  job.slurm = stage.resolved.config.slurm;
  for (const auto& bad : bad_nodes_of(stage))
    job.slurm.exclude += cat(job.slurm.exclude.empty() ? "" : ",", bad.node);
  job.lead_seconds = lead_of(stage, slurm::times_of(stage.run_dir));
  job.rows = stage.rows;
  job.at_once = line.at_once;
  if (!job.slurm.staging.empty())
    for (const auto& file : sharding::expand_files(stage.resolved.config.data.files))
      job.files.push_back(fs::absolute(file).lexically_normal());
  for (std::size_t k = i + 1; k < line.stages.size(); ++k) {
    job.next.push_back(line.stages[k].run_dir);
    job.next_stage.push_back(line.stages[k].name);
  }
  return job;
}

// Of the run, or of the sweep and each of its rows.
std::vector<std::string> folders_of(const std::string& run_dir, std::size_t rows) {
  std::vector<std::string> folders{run_dir};
  for (std::size_t i = 0; i < rows; ++i) folders.push_back(cat(run_dir, "/row-", i));
  return folders;
}

// A DONE of a run that was given more steps since would end the new job at once. If the run is done, it finds out itself.
void remove_done(const slurm::JobScript& job) {
  std::error_code none;
  for (const auto& folder : folders_of(job.run_dir, job.rows.size())) fs::remove(folder + "/DONE", none);
}

std::string stage_name(const std::vector<slurm::JobScript>& jobs, std::size_t stage) {
  return stage < jobs.size() ? jobs[stage].stage : "summary";
}

}  // namespace

std::vector<supervise::NotedNode> bad_nodes_of(const SubmitStage& stage) {
  std::vector<supervise::NotedNode> out;
  for (const auto& folder : folders_of(stage.run_dir, stage.rows.size()))
    for (auto& bad : supervise::young_nodes(supervise::noted_nodes(folder), utc_now())) {
      std::erase_if(out, [&](const auto& other) { return other.node == bad.node; });
      out.push_back(std::move(bad));
    }
  return out;
}

std::vector<slurm::JobScript> jobs_of(const SubmitLine& line) {
  std::vector<slurm::JobScript> jobs;
  for (std::size_t i = 0; i < line.stages.size(); ++i) jobs.push_back(job_of(line, i));
  return jobs;
}

void submit_all(const std::vector<slurm::JobScript>& jobs, const Submit& submit, std::vector<Queued>& queue) {
  std::string before;  // the id whose good end is that of the stage before
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const slurm::JobScript& job = jobs[i];
    const bool sweep = !job.rows.empty(), singleton = !sweep && job.slurm.chain == "singleton";
    std::vector<std::string> options;
    if (!before.empty())
      options = {
          cat("--dependency=", sweep ? "aftercorr:" : "afterok:", before, singleton ? ",singleton" : ""),
          "--kill-on-invalid-dep=yes"};
    queue.push_back({i, {}, before.empty() ? "" : cat("after ", jobs[i - 1].stage, " has ended well")});
    for (std::int64_t k = 0; k < (singleton ? job.slurm.chain_jobs : 1); ++k)
      queue.back().ids.push_back(submit(slurm::script_path(job.run_dir), options));
    before = queue.back().ids.back();
    // Earlier elements of the chain end with 75: only the last one tells.
    if (!sweep && job.slurm.chain == "array") before += cat('_', job.slurm.chain_jobs);
  }
  if (jobs.back().rows.empty()) return;
  queue.push_back({jobs.size(), {}, "after all rows"});
  queue.back().ids.push_back(
      submit(jobs.back().run_dir + "/summary.sh", {"--dependency=afterany:" + before}));
}

std::string printed_jobs(const std::vector<slurm::JobScript>& jobs) {
  std::string out;
  for (const auto& job : jobs) out += slurm::job_script(job) + '\n';
  if (!jobs.back().rows.empty()) out += slurm::summary_script(jobs.back()) + '\n';
  out += "# What entrain submit would run:\n";
  int number = 0;
  std::vector<Queued> queue;
  submit_all(
      jobs,
      [&](const std::string& script, const std::vector<std::string>& options) {
        out += cat("# J", ++number, "=$(sbatch --parsable");
        for (const auto& option : options) out += cat(' ', option);
        out += cat(' ', slurm::bash_quote(script), ")\n");
        return cat("${J", number, "}");
      },
      queue);
  return out;
}

void write_scripts(const std::vector<slurm::JobScript>& jobs, const std::vector<slurm::SweepRow>& rows) {
  for (const auto& job : jobs) {
    std::error_code error;
    fs::create_directories(job.run_dir, error);
    if (error)
      throw CheckpointError(cat("run.dir: ", job.run_dir, ": cannot be made (", error.message(), ')'));
    remove_done(job);
    checkpoint::write_file_atomically(slurm::script_path(job.run_dir), slurm::job_script(job));
    if (!rows.empty())
      checkpoint::write_file_atomically(job.run_dir + "/sweep.jsonl", slurm::sweep_text(rows));
  }
  if (!rows.empty())
    checkpoint::write_file_atomically(jobs.back().run_dir + "/summary.sh",
                                      slurm::summary_script(jobs.back()));
}

void record_job(const std::vector<slurm::JobScript>& jobs, std::size_t stage, const std::string& id,
                const std::string& script) {
  for (std::size_t i = 0; i <= std::min(stage, jobs.size() - 1); ++i)
    slurm::append_job(jobs[i].run_dir, {id, stage_name(jobs, stage), utc_now(), script});
}

std::string queued_text(const std::vector<slurm::JobScript>& jobs, const Queued& q) {
  const slurm::JobScript& job = jobs[std::min(q.stage, jobs.size() - 1)];
  const bool summary = q.stage == jobs.size();
  std::string out;
  const bool array = slurm::log_pattern(job).find("%a") != std::string::npos;
  for (const auto& id : q.ids) {
    const std::string log =
        cat(job.run_dir, summary ? "/summary-" : "/slurm-", id, array && !summary ? "_*" : "", ".out");
    out += cat("job ", id, "  ", stage_name(jobs, q.stage), q.after.empty() ? "" : ", " + q.after, "; log ",
               log);
    if (!summary)
      out += cat("; look: entrain status ", slurm::bash_quote(job.run_dir), job.rows.empty() ? "" : "/row-*");
    out += '\n';
  }
  return out;
}

}  // namespace entrain::coordinator
