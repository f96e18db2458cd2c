#include "checkpoint/resume.hpp"

#include <algorithm>

#include "checkpoint/ledger_path.hpp"
#include "checkpoint/manifest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

constexpr int kNonFinite = static_cast<int>(ExitCode::kNumeric);
constexpr int kTimesTooOften = 2;

using Records = std::vector<nlohmann::json>;

// How often training from the newest commit of this step ended in a non-finite loss.
int times_diverged(const Records& ledger, std::int64_t step) {
  int times = 0;
  for (const auto& record : ledger) {
    const auto kind = record.value("kind", std::string());
    if (kind == "COMMIT" && record.at("step") == step) times = 0;
    if (kind == "END" && record.value("code", 0) == kNonFinite &&
        record.value("committed", std::int64_t{-1}) == step)
      ++times;
  }
  return times;
}

struct Passed {
  std::int64_t step;
  std::string why;
};

// Fills `from` with the newest that may be used.
std::vector<Passed> passed_over(const std::string& run_dir, const Records& ledger,
                                std::optional<Found>& from) {
  std::vector<Passed> passed;
  for (const auto step : committed_steps(run_dir)) {
    Found found{.step = step, .dir = cat(run_dir, "/checkpoints/", step_name(step))};
    std::string why = why_broken(found.dir, found.manifest);
    if (why.empty()) why = why_spoiled(ledger, step);
    if (why.empty()) {
      from = std::move(found);
      return passed;
    }
    passed.push_back({step, why});
  }
  if (passed.empty()) return passed;
  std::string all = cat(run_dir, ": holds checkpoints, but none can be used");
  for (const auto& p : passed) all += cat("\n  ", step_name(p.step), ": ", p.why);
  throw CheckpointError(all + "\nTo start over, set run.dir anew");
}

}  // namespace

std::optional<LedgerFlaw> flaw_of_ledger(const nlohmann::json& manifest, const Records& records,
                                         const std::string& head) {
  const std::string behind = manifest.value("ledger_head", "");
  if (behind.empty() || behind == std::string(64, '0')) return std::nullopt;  // of a run without one
  const std::string name = step_name(manifest.at("step"));
  if (records.empty())
    return LedgerFlaw{
        cat("not there or empty, though ", name,
            " was committed with one: a new one begins, which proves nothing of the steps before"),
        false};
  const auto follows = [&](const nlohmann::json& record) { return record.at("prev") == behind; };
  if (behind == head || std::any_of(records.begin(), records.end(), follows)) return std::nullopt;
  return LedgerFlaw{cat("does not have the line behind which ", name, " was committed (SHA-256 ",
                        behind.substr(0, 8), "..): it was cut, or is of another run"),
                    true};
}

std::set<std::int64_t> counted_steps(const Records& ledger) {
  std::set<std::int64_t> steps;
  for (const Commit& commit : path_of(ledger).commits)
    if (commit.counts) steps.insert(commit.step);
  return steps;
}

std::string why_spoiled(const Records& ledger, std::int64_t step) {
  const int times = times_diverged(ledger, step);
  return times < kTimesTooOften ? "" : cat("training from it ended in a non-finite loss ", times, " times");
}

ResumePoint resume_point(const std::string& run_dir, CheckpointStore& store, Ledger& ledger,
                         bool with_before) {
  ResumePoint result;
  for (const auto& p : passed_over(run_dir, ledger.records(), result.from))
    result.said.push_back(cat("passed over ", step_name(p.step), ": ", p.why, "; it is now checkpoints/",
                              store.quarantine(p.step, p.why, &ledger)));
  const auto counted = counted_steps(ledger.records());
  if (!result.from && !counted.empty())
    throw CheckpointError(
        cat(run_dir, ": its ledger has commits up to step ", *counted.rbegin(),
            ", but there is no checkpoint in ", run_dir,
            "/checkpoints; were they deleted, or is a disk not there? To start over, set run.dir anew"));
  if (!result.from) return result;

  const Found& from = *result.from;
  if (const auto flaw = flaw_of_ledger(from.manifest, ledger.records(), ledger.head())) {
    const std::string text = cat(ledger_path(run_dir), ": ", flaw->text);
    if (flaw->refuses) refuse_ledger(run_dir, text);
    result.said.push_back(text);
  }
  for (auto gone = counted.upper_bound(from.step); gone != counted.end(); ++gone) {
    result.said.push_back(cat(step_name(*gone), " of the ledger is no longer on the disk"));
    ledger.append({{"kind", "BAD"}, {"step", *gone}, {"reason", "no longer on the disk"}});
  }
  if (counted.count(from.step) == 0) {
    result.said.push_back(
        cat(step_name(from.step), " is whole, but the ledger did not have it: recorded now"));
    ledger.append(commit_record(from.dir, from.manifest));
  }
  ledger.append({{"kind", "ATTEMPT"}, {"step", from.step}});

  if (!with_before) return result;
  const auto parent = from.manifest.value("parent", std::int64_t{0});
  Found before{.step = parent, .dir = cat(run_dir, "/checkpoints/", step_name(parent))};
  if (parent > 0 && why_broken(before.dir, before.manifest).empty()) result.before = std::move(before);
  return result;
}

}  // namespace entrain::checkpoint
