#include "checkpoint/verify.hpp"

#include <filesystem>

#include "checkpoint/find.hpp"
#include "checkpoint/ledger.hpp"
#include "checkpoint/manifest.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/resume.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

using Records = std::vector<nlohmann::json>;

Verified verify_step(const std::string& run_dir, std::int64_t step, const Records& ledger,
                     nlohmann::json& manifest) {
  Verified result{.step = step, .name = step_name(step)};
  const std::string dir = cat(run_dir, "/checkpoints/", result.name);
  try {
    manifest = read_manifest(dir);
    result.files = manifest.at("files").size();
    result.tensors = manifest.at("tensors").size();
    for (const auto& [unused, file] : manifest.at("files").items())
      result.bytes += file.at("bytes").get<std::uint64_t>();
    result.problems = problems_of(dir, manifest);
    if (result.problems.empty()) {
      const CheckpointReader opens(dir);
      if (auto why = why_spoiled(ledger, step); !why.empty()) result.problems.push_back(std::move(why));
    }
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
  LedgerText ledger;
  try {
    ledger = read_ledger(run_dir);
  } catch (const CheckpointError& error) {
    result.ledger = error.what();
    result.ledger_refuses = true;
  }
  const auto counted = counted_steps(ledger.records);
  for (const auto step : committed_steps(run_dir)) {
    nlohmann::json manifest;
    result.checkpoints.push_back(verify_step(run_dir, step, ledger.records, manifest));
    result.checkpoints.back().recorded = ledger.records.empty() || counted.count(step) != 0;
    if (result.pick >= 0 || !result.checkpoints.back().problems.empty()) continue;
    result.pick = step;
    if (!result.ledger.empty()) continue;
    const std::string head = ledger.digests.empty() ? "" : ledger.digests.back();
    if (const auto flaw = flaw_of_ledger(manifest, ledger.records, head)) {
      result.ledger = flaw->text;
      result.ledger_refuses = flaw->refuses;
    }
  }
  for (const auto& name : names_in(folder)) {
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".trash-", 0) == 0) result.uncommitted.push_back(name);
    if (name.rfind("quarantine-", 0) == 0) result.quarantined.push_back(name);
  }
  result.newest_is_whole = !result.checkpoints.empty() && result.checkpoints[0].problems.empty();
  return result;
}

}  // namespace entrain::checkpoint
