#include "slurm/job_record.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::slurm {
namespace {

std::string text_in(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::string jobs_path(const std::string& run_dir) { return run_dir + "/jobs.jsonl"; }

void append_job(const std::string& run_dir, const JobRecord& r) {
  nlohmann::ordered_json line;
  line["job"] = r.job;
  line["time"] = r.time;
  line["stage"] = r.stage;
  line["script"] = r.script;
  std::ofstream file(jobs_path(run_dir), std::ios::app);
  file << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" << std::flush;
  if (!file)
    throw CheckpointError(cat(jobs_path(run_dir), ": cannot be written (", std::strerror(errno),
                              "); --cancel-chain will not know job ", r.job));
}

std::vector<JobRecord> read_jobs(const std::string& run_dir) {
  std::vector<JobRecord> out;
  std::ifstream file(jobs_path(run_dir));
  for (std::string text; std::getline(file, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    JobRecord r{text_in(line, "job"), text_in(line, "stage"), text_in(line, "time"), text_in(line, "script")};
    // What goes on to scancel must be an id and nothing else.
    const bool id = !r.job.empty() &&
                    std::all_of(r.job.begin(), r.job.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (id) out.push_back(std::move(r));
  }
  return out;
}

}  // namespace entrain::slurm
