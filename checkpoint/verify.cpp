#include "checkpoint/verify.hpp"

#include <algorithm>
#include <filesystem>

#include "checkpoint/manifest.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/store.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

Verified verify_step(const std::string& run_dir, std::int64_t step) {
  Verified result{.step = step, .name = step_name(step)};
  const std::string dir = cat(run_dir, "/checkpoints/", result.name);
  try {
    const auto manifest = read_manifest(dir);
    result.files = manifest.at("files").size();
    result.tensors = manifest.at("tensors").size();
    for (const auto& [unused, file] : manifest.at("files").items())
      result.bytes += file.at("bytes").get<std::uint64_t>();
    result.problems = problems_of(dir, manifest);
    if (result.problems.empty()) const CheckpointReader opens(dir);
  } catch (const std::exception& error) {
    result.problems.push_back(error.what());
  }
  return result;
}

}  // namespace

Verification verify_run(const std::string& run_dir) {
  const std::string folder = run_dir + "/checkpoints";
  if (!std::filesystem::is_directory(folder))
    throw CheckpointError(cat(folder, ": no such folder, so no checkpoint to verify"));
  Verification result;
  for (const auto step : committed_steps(run_dir)) {
    result.checkpoints.push_back(verify_step(run_dir, step));
    if (result.pick < 0 && result.checkpoints.back().problems.empty()) result.pick = step;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".trash-", 0) == 0) result.uncommitted.push_back(name);
  }
  std::sort(result.uncommitted.begin(), result.uncommitted.end());
  result.newest_is_whole = !result.checkpoints.empty() && result.checkpoints[0].problems.empty();
  return result;
}

}  // namespace entrain::checkpoint
