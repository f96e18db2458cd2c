#include "coordinator/audit.hpp"

#include <algorithm>
#include <thread>

#include "checkpoint/ancestry.hpp"
#include "checkpoint/ledger.hpp"
#include "checkpoint/ledger_path.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/audit_batches.hpp"
#include "coordinator/audit_checkpoints.hpp"
#include "coordinator/audit_eras.hpp"
#include "coordinator/audit_groups.hpp"

namespace entrain::coordinator {
namespace {

using checkpoint::LedgerPath;
using checkpoint::LedgerText;

void tell_ledger(const LedgerText& ledger, AuditReport& report) {
  report.lines = ledger.records.size();
  report.torn = ledger.torn;
  report.from = ledger.records.front().value("time", "");
  report.until = ledger.records.back().value("time", "");
  for (const auto& record : ledger.records) {
    if (record["kind"] != "START") continue;
    ++report.generations;
    report.worlds.push_back(record.value("world", std::int64_t{0}));
  }
  for (std::size_t i = 0; i < ledger.records.size(); ++i) {
    const auto& record = ledger.records[i];
    if (record["kind"] != "PROOF" || record.value("result", "") == "equal") continue;
    report.notes.push_back(cat(
        "line ", i + 1, ": the resume from step ", record.value("step", std::int64_t{0}),
        record.value("result", "") == "differs" ? " was found to differ and went on: " : " was not proven: ",
        record.value("reason", "")));
  }
  if (ledger.torn.empty()) return;
  if (ledger.cut_short)
    report.notes.push_back(ledger.torn + ": half an append, which the next start cuts off");
  else
    report.wrong.push_back(ledger.torn + ": its bytes were changed; the next start cuts it off");
}

void tell_commits(const LedgerPath& path, AuditReport& report) {
  report.last_step = path.last();
  for (const auto& commit : path.commits)
    report.commits.push_back({.line = commit.record + 1,
                              .step = commit.step,
                              .generation = commit.generation,
                              .counts = commit.counts,
                              .on_disk = false,
                              .bad = commit.bad});
  if (path.path.empty()) report.unchecked.push_back("no step is committed yet, so there is nothing to prove");
}

// Which steps of the path each era ruled; an era must begin where the one before ends.
void tell_plans(const LedgerPath& path, const Eras& eras, AuditReport& report) {
  for (const Era& era : eras.eras) {
    const auto& excluded = era.facts.value("excluded", nlohmann::json::object());
    report.plans.push_back({.line = era.start + 1,
                            .num_samples = era.settings.num_samples,
                            .global_batch = era.settings.global_batch,
                            .seed = era.settings.seed,
                            .same_group = era.facts.value("same_group", "allow"),
                            .why_unchecked = era.why_unchecked,
                            .groups_left_out = static_cast<std::int64_t>(era.left_out.size()),
                            .images_left_out = excluded.value("images", std::int64_t{0}),
                            .open = {}});
    if (!era.why_unchecked.empty())
      report.unchecked.push_back(
          cat(era.known ? "the images left out by the plan of line " : "every batch under the plan of line ",
              era.start + 1, ": ", era.why_unchecked));
  }
  std::size_t now = eras.eras.size();
  for (const std::size_t c : path.path) {
    const auto& commit = path.commits[c];
    const auto at = eras.by_generation.find(commit.generation);
    if (at == eras.by_generation.end()) continue;
    AuditedPlan& plan = report.plans[at->second];
    if (at->second != now) {
      const auto begins = eras.eras[at->second].settings.first_step;
      if (begins != commit.parent || plan.first != 0)
        report.wrong.push_back(cat("line ", plan.line, ": START: its plan begins at step ", begins + 1,
                                   " but rules from step ", commit.parent + 1, " on"));
      if (now < eras.eras.size() && eras.eras[now].left_out == eras.eras[at->second].left_out)
        report.wrong.push_back(cat("line ", plan.line, ": START: another plan than line ",
                                   report.plans[now].line, " has, though the same groups are left out"));
      now = at->second;
    }
    if (plan.first == 0) plan.first = commit.parent + 1;
    plan.last = commit.step;
  }
}

// An epoch that is open where its plan ends must see the rest in the next steps, had they come.
void follow_open_epochs(const Era& era, EpochMarks& marks, AuditedPlan& plan, AuditReport& report) {
  const bool cut = plan.last != report.last_step;
  for (const std::int64_t epoch : marks.open())
    plan.open.push_back(
        {.epoch = epoch, .seen = marks.seen(epoch), .cut = cut, .missing = marks.missing(epoch)});
  plan.whole_epochs = static_cast<std::int64_t>(marks.whole().size());
  const sharding::SamplePlan order(era.settings);
  const auto still_open = [&] {
    return std::count_if(plan.open.begin(), plan.open.end(),
                         [&](const OpenEpoch& open) { return !marks.whole().contains(open.epoch); });
  };
  const std::int64_t end = plan.last + 2 * (plan.num_samples / plan.global_batch + 2);
  for (std::int64_t step = plan.last + 1; still_open() > 0 && step <= end; ++step)
    for (const auto& slot : order.batch(step - 1))
      if (!marks.mark(slot.epoch, slot.sample))
        report.wrong.push_back(
            cat("epoch ", slot.epoch, " would see sample ", slot.sample, " again in step ", step));
  if (still_open() > 0)
    report.wrong.push_back(
        cat("the plan of line ", plan.line, " leaves samples out of epoch ", plan.open.front().epoch));
}

void tell_epochs(const Eras& eras, BatchAudit& batches, AuditReport& report) {
  for (std::size_t era = 0; era < eras.eras.size(); ++era)
    if (eras.eras[era].known && report.plans[era].last > 0 && report.wrong.empty())
      follow_open_epochs(eras.eras[era], batches.marks[era], report.plans[era], report);
}

// Weights bring along whom they have seen.
void trace_ancestors(const std::string& run, const LedgerText& ledger, AuditReport& report) {
  for (const auto& record : ledger.records) {
    if (record["kind"] != "START" || !record.contains("began_from")) continue;
    try {
      const auto began = checkpoint::ancestor_groups(run, record["began_from"]);
      mark_ancestors(began, report.groups);
      if (began.lineage != "none") report.began_from = began.from;
      if (began.lineage == "unknown")
        report.unchecked.push_back(cat("whom the weights had seen that it began from: ", began.from,
                                       " does not say it, or began from a file that does not"));
    } catch (const CheckpointError& e) {
      report.unchecked.push_back(e.what());
    }
    return;
  }
}

void audit_chain(const AuditQuestion& question, const LedgerText& ledger, int threads, AuditReport& report) {
  const LedgerPath path = checkpoint::path_of(ledger.records);
  report.wrong.insert(report.wrong.end(), path.wrong.begin(), path.wrong.end());
  tell_ledger(ledger, report);
  tell_commits(path, report);

  const DiskAudit disk = audit_checkpoints(question.run, ledger, path);
  report.checkpoints_on_disk = static_cast<std::int64_t>(disk.on_disk.size());
  report.vouched_lines = disk.vouched_lines;
  report.wrong.insert(report.wrong.end(), disk.wrong.begin(), disk.wrong.end());
  report.notes.insert(report.notes.end(), disk.notes.begin(), disk.notes.end());
  for (const std::size_t c : disk.on_disk) report.commits[c].on_disk = true;

  RunCorpus corpus(question.run, ledger.records);
  const Eras eras = eras_of(ledger.records, corpus, threads, report.wrong);
  tell_plans(path, eras, report);
  for (const auto& group : question.groups)
    report.groups.push_back({.group = group, .plans = {}, .saw = {}, .did_not = {}, .kept_under = {}});
  TracedSamples traced;
  if (!report.groups.empty()) {
    add_groups_kept_under(corpus, report.groups);
    trace_ancestors(question.run, ledger, report);
    traced = samples_of_groups(eras, corpus, report.groups);
  }
  BatchAudit batches = audit_batches(ledger.records, path, eras, traced, threads, report.wrong);
  report.checked_steps = batches.checked;
  trace_groups(batches, eras, path, report.groups);
  tell_epochs(eras, batches, report);
}

}  // namespace

int AuditReport::exit_code() const {
  if (!wrong.empty()) return static_cast<int>(ExitCode::kCheckpoint);
  return static_cast<int>(unchecked.empty() ? ExitCode::kDone : ExitCode::kData);
}

AuditReport audit_run(const AuditQuestion& question) {
  AuditReport report;
  report.run = question.run;
  LedgerText ledger;
  try {
    ledger = checkpoint::read_ledger(question.run);
  } catch (const CheckpointError& e) {
    report.wrong.push_back(e.what());
    return report;
  }
  if (ledger.records.empty())
    throw CheckpointError(cat(checkpoint::ledger_path(question.run), ": ",
                              ledger.torn.empty() ? "not there or empty" : ledger.torn,
                              ": this run keeps no ledger (pretraining does), so there is nothing to audit"));
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  try {
    audit_chain(question, ledger, question.threads > 0 ? question.threads : std::max(cores, 1), report);
  } catch (const nlohmann::json::exception& e) {  // a chain that is whole around a record that cannot be
    report.wrong.push_back(cat("a record of the ledger says what none can say: ", e.what()));
  }
  return report;
}

}  // namespace entrain::coordinator
