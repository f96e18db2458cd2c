#include "checkpoint/find.hpp"

#include <algorithm>
#include <filesystem>

#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::int64_t> committed_steps(const std::string& run_dir) {
  std::vector<std::int64_t> steps;
  for (const auto& name : names_in(run_dir + "/checkpoints"))
    if (const auto step = parse_step_name(name)) steps.push_back(*step);
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

std::optional<Found> newest_whole(const std::string& run_dir) {
  Found found;
  for (const auto step : committed_steps(run_dir)) {
    found.step = step;
    found.dir = cat(run_dir, "/checkpoints/", step_name(step));
    const std::string why = why_broken(found.dir, found.manifest);
    if (why.empty()) return found;
    found.passed_over.push_back(cat(step_name(step), ": ", why));
  }
  return std::nullopt;
}

Found open_checkpoint(const std::string& run_or_step_dir) {
  const std::string dir = fs::path(run_or_step_dir).lexically_normal();
  if (!fs::is_directory(dir)) throw CheckpointError(cat(dir, ": no such run or checkpoint folder"));
  if (fs::exists(dir + "/manifest.json")) {
    Found found{.dir = dir};
    const std::string why = why_broken(dir, found.manifest);
    if (!why.empty()) throw CheckpointError(cat(dir, ": this checkpoint is broken: ", why));
    found.step = found.manifest.at("step");
    return found;
  }
  if (auto found = newest_whole(dir)) return *found;
  std::string seen;
  for (const auto step : committed_steps(dir)) {
    nlohmann::json manifest;
    seen +=
        cat("\n  ", step_name(step), ": ", why_broken(cat(dir, "/checkpoints/", step_name(step)), manifest));
  }
  throw CheckpointError(cat(dir, ": looked for ", dir, "/checkpoints/step-*/manifest.json and found ",
                            seen.empty() ? "none" : "only broken ones:", seen));
}

}  // namespace entrain::checkpoint
