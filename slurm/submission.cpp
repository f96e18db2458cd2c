#include "slurm/submission.hpp"

#include <algorithm>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::slurm {
namespace {

std::string without_prefix(std::string line) {
  for (const char* prefix : {"sbatch: error: ", "sbatch: "})
    if (line.starts_with(prefix)) return line.substr(std::string(prefix).size());
  return line;
}

// "Job 5 to start at TIME using 2 processors on nodes n[1-2] in partition low", without the number of a job that will
// never be. Other words as they are.
std::string start_of(const std::string& line) {
  const auto word_after = [&](const std::string& words) {
    const auto at = line.find(words);
    if (at == std::string::npos) return std::string();
    const auto begin = at + words.size();
    return line.substr(begin, line.find(' ', begin) - begin);
  };
  const std::string time = word_after(" to start at "), nodes = word_after(" on nodes ");
  if (time.empty()) return line;
  return cat("can start at ", time, nodes.empty() ? "" : " on ", nodes);
}

}  // namespace

std::string submit(const std::string& script, const std::vector<std::string>& options) {
  std::vector<std::string> words{"sbatch", "--parsable"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(script);
  const auto sbatch = run_command(words, kSubmitSeconds);
  if (sbatch.end == CommandResult::End::kTimedOut)
    throw Error(ExitCode::kPreflight,
                cat(script, ": ", sbatch.complaint,
                    "; the job may be in the queue all the same: look at `squeue --me` first"));
  const std::string id = sbatch.out.substr(0, sbatch.out.find_first_of(";\n"));
  const bool number =
      !id.empty() && std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!sbatch.ok()) throw Error(ExitCode::kPreflight, cat(script, ": not submitted: ", sbatch.complaint));
  if (!number)
    throw Error(ExitCode::kPreflight,
                cat(script, ": sbatch answers \"", id, "\" where a job id is wanted; look at `squeue --me`"));
  return id;
}

std::string test_submission(const std::string& script_text) {
  const auto test = run_command({"sbatch", "--test-only"}, kSubmitSeconds, script_text);
  if (!test.ok()) throw Error(ExitCode::kPreflight, test.complaint);
  std::istringstream lines(test.err + test.out);
  std::string last;
  for (std::string line; std::getline(lines, line);)
    if (line.find("to start") != std::string::npos || last.empty()) last = without_prefix(line);
  return start_of(last);
}

void cancel_pending(const std::vector<std::string>& job_ids) {
  if (job_ids.empty()) return;
  std::vector<std::string> words{"scancel", "--state=PENDING"};
  words.insert(words.end(), job_ids.begin(), job_ids.end());
  const auto scancel = run_command(words, kAskSeconds);
  // A job that Slurm has forgotten needs no cancelling.
  if (!scancel.ok() && scancel.err.find("Invalid job id specified") == std::string::npos)
    throw Error(ExitCode::kPreflight, scancel.complaint);
}

double granted_seconds(const std::string& job_id) {
  const auto queue = run_command({"squeue", "--noheader", "--jobs=" + job_id, "--format=%l"}, kAskSeconds);
  return queue.ok() ? parse_slurm_time(queue.out.substr(0, queue.out.find('\n'))).value_or(0) : 0;
}

}  // namespace entrain::slurm
