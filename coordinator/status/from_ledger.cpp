#include "coordinator/status/from_ledger.hpp"

#include <algorithm>
#include <exception>

#include "checkpoint/ledger.hpp"
#include "checkpoint/ledger_path.hpp"
#include "configs/cat.hpp"
#include "coordinator/status/run_files.hpp"

namespace entrain::status {
namespace {

std::string event_text(const nlohmann::json& record, const std::string& kind) {
  const std::string step = cat("step ", integer_of(record, "step", 0)), reason = text_of(record, "reason");
  if (kind == "START")
    return cat("generation ", integer_of(record, "generation", 0), " on ", integer_of(record, "world", 0),
               " ranks, from step ", integer_of(record, "from_step", 0));
  if (kind == "END")
    return cat("exit code ", integer_of(record, "code", -1), reason.empty() ? "" : ": " + reason);
  return reason.empty() ? step : cat(step, ": ", reason);
}

Event event_of(const nlohmann::json& record) {
  const std::string kind = text_of(record, "kind");
  const char* name = kind == "START"    ? "launch"
                     : kind == "COMMIT" ? "commit"
                     : kind == "ABORT"  ? "abort"
                     : kind == "BAD"    ? "bad"
                     : kind == "END"    ? "end"
                                        : "attempt";
  return {text_of(record, "time"), name, event_text(record, kind)};
}

// A generation failed if it ended otherwise than done or stopped on request, or did not say how.
void count_failures(LedgerView& view, const std::vector<nlohmann::json>& records) {
  for (const auto& record : records) {
    const std::string kind = text_of(record, "kind");
    if (kind == "START") {
      if (!view.last_start.empty() && !view.ended) ++view.status.failures;
      view.last_start = text_of(record, "time");
      view.ended = false;
      view.status.exit_code = -1;
    } else if (kind == "END") {
      view.ended = true;
      view.status.exit_code = static_cast<int>(integer_of(record, "code", 70));
      view.status.reason = text_of(record, "reason");
      if (view.status.exit_code != 0 && view.status.exit_code != 75) ++view.status.failures;
    }
  }
  view.status.state = view.ended ? "ended" : "unknown";
  if (!view.ended) view.status.reason.clear();
}

void take_starts(LedgerView& view, const std::vector<nlohmann::json>& records) {
  RunStatus& s = view.status;
  for (const auto& record : records) {
    if (text_of(record, "kind") != "START") continue;
    if (s.started.empty()) s.started = text_of(record, "time");
    s.stage = text_of(record, "stage");
    s.generation = integer_of(record, "generation", s.generation);
    s.world = static_cast<int>(integer_of(record, "world", 0));
    s.total_steps = integer_of(record, "total_steps", 0);
  }
}

}  // namespace

LedgerView view_ledger(const std::string& run_dir) {
  LedgerView view;
  checkpoint::LedgerText ledger;
  try {
    ledger = checkpoint::read_ledger(run_dir);
  } catch (const std::exception& e) {
    view.broken = e.what();
    return view;
  }
  const auto& records = ledger.records;
  if (records.empty()) return view;
  take_starts(view, records);
  count_failures(view, records);
  const checkpoint::LedgerPath path = checkpoint::path_of(records);
  view.status.committed = path.last();
  for (const std::size_t at : path.path)
    view.status.commits.push_back({path.commits[at].step, text_of(records[path.commits[at].record], "time")});
  const auto keep_last = [](auto& list, std::size_t most) {
    if (list.size() > most) list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(most));
  };
  keep_last(view.status.commits, kMostCommits);
  for (const auto& record : records) view.status.events.push_back(event_of(record));
  keep_last(view.status.events, kMostEvents);
  return view;
}

}  // namespace entrain::status
