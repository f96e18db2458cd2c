#include "checkpoint/verify.hpp"

#include <algorithm>
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

Verified verify_step(const std::string& run_dir, std::int64_t step, const Records& ledger) {
  Verified result{.step = step, .name = step_name(step)};
  const std::string dir = cat(run_dir, "/checkpoints/", result.name);
  try {
    const auto manifest = read_manifest(dir);
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

// What a resume would say of the ledger beside the newest whole checkpoint; empty: nothing.
std::string why_not_its_ledger(const std::string& run_dir) {
  const auto found = newest_whole(run_dir);
  const LedgerText text = read_ledger(run_dir);
  const std::string head = found ? found->manifest.value("ledger_head", "") : "";
  if (head.empty() || head == std::string(64, '0')) return "";
  if (text.records.empty()) return "not there or empty, though the checkpoints were committed with one";
  if (std::find(text.digests.begin(), text.digests.end(), head) != text.digests.end()) return "";
  return cat("does not have the line behind which ", step_name(found->step),
             " was committed: it was cut, or is of another run");
}

}  // namespace

Verification verify_run(const std::string& run_dir) {
  const std::string folder = run_dir + "/checkpoints";
  if (!std::filesystem::is_directory(folder))
    throw CheckpointError(cat(folder, ": no such folder, so no checkpoint to verify"));
  Verification result;
  Records ledger;
  try {
    if (std::filesystem::exists(run_dir + "/ledger.jsonl")) ledger = read_ledger(run_dir).records;
  } catch (const CheckpointError& error) {
    result.ledger = error.what();
  }
  if (result.ledger.empty()) result.ledger = why_not_its_ledger(run_dir);
  const auto counted = counted_steps(ledger);
  for (const auto step : committed_steps(run_dir)) {
    result.checkpoints.push_back(verify_step(run_dir, step, ledger));
    result.checkpoints.back().recorded = ledger.empty() || counted.count(step) != 0;
    if (result.pick < 0 && result.checkpoints.back().problems.empty()) result.pick = step;
  }
  for (const auto& name : names_in(folder)) {
    if (name.rfind(".tmp-", 0) == 0 || name.rfind(".trash-", 0) == 0) result.uncommitted.push_back(name);
    if (name.rfind("quarantine-", 0) == 0) result.quarantined.push_back(name);
  }
  result.newest_is_whole = !result.checkpoints.empty() && result.checkpoints[0].problems.empty();
  return result;
}

}  // namespace entrain::checkpoint
