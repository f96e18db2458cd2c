#include "checkpoint/ledger_path.hpp"

#include <algorithm>
#include <map>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"

namespace entrain::checkpoint {
namespace {

// What keeps a COMMIT's span from being steps parent + 1 .. step; empty: nothing.
std::string flaw_of_span(const nlohmann::json& record, const Commit& commit) {
  const auto at = record.find("span");
  if (at == record.end() || !at->is_object()) return "it has no span";
  const std::int64_t first = integer_of(*at, "first", -1), last = integer_of(*at, "last", -1);
  if (first != commit.parent + 1)
    return cat("its span begins at ", first, ", not behind its parent ", commit.parent);
  if (last != commit.step) return cat("its span ends at ", last, ", not at its step");
  for (const char* each : {"batches", "loss"}) {
    const auto list = at->find(each);
    const std::size_t have = list != at->end() && list->is_array() ? list->size() : 0;
    if (have != static_cast<std::size_t>(last - first + 1))
      return cat("its span is ", last - first + 1, " steps but tells ", have, " ", each);
  }
  return "";
}

}  // namespace

LedgerPath path_of(const std::vector<nlohmann::json>& records) {
  LedgerPath result;
  std::map<std::int64_t, std::size_t> newest;  // commit by step
  std::int64_t generation = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    const std::string kind = text_of(record, "kind");
    const std::int64_t step = integer_of(record, "step", -1);
    const auto wrong = [&](const std::string& why) {
      result.wrong.push_back(
          cat("line ", i + 1, ": ", kind, step < 0 ? "" : cat(" of step ", step), ": ", why));
    };
    if (kind == "START") {
      const std::int64_t begins = integer_of(record, "generation", -1);
      // Generations that a supervisor started and that never came so far are missing.
      if (begins <= generation) wrong(cat("begins generation ", begins, " after generation ", generation));
      generation = begins;
    } else if (kind == "BAD") {
      if (const auto at = newest.find(step); at != newest.end()) {
        std::string& bad = result.commits[at->second].bad;
        if (bad.empty())
          bad = text_of(record, "reason").empty() ? "no reason given" : text_of(record, "reason");
      }
    } else if (kind == "COMMIT") {
      Commit commit{.record = i,
                    .step = step,
                    .parent = integer_of(record, "parent", -1),
                    .generation = integer_of(record, "generation", -1),
                    .bad = {}};
      if (const std::string flaw = flaw_of_span(record, commit); !flaw.empty()) wrong(flaw);
      if (commit.parent >= step || commit.parent < 0) {
        wrong(cat("was trained from step ", commit.parent));
      } else if (commit.parent > 0) {
        const auto at = newest.find(commit.parent);
        if (at != newest.end())
          commit.before = at->second;
        else
          wrong(cat("was trained from step ", commit.parent, ", which no line before commits"));
      }
      newest[step] = result.commits.size();
      result.commits.push_back(std::move(commit));
    }
  }
  const auto end = std::find_if(result.commits.rbegin(), result.commits.rend(),
                                [](const Commit& c) { return c.bad.empty(); });
  if (end == result.commits.rend()) return result;
  for (std::size_t at = static_cast<std::size_t>(result.commits.rend() - end) - 1; at != Commit::kNone;
       at = result.commits[at].before) {
    result.commits[at].counts = true;
    result.path.push_back(at);
  }
  std::reverse(result.path.begin(), result.path.end());
  if (result.commits[result.path.front()].parent != 0)
    result.wrong.push_back(cat("the path that counts begins at step ",
                               result.commits[result.path.front()].parent + 1, ", not at 1"));
  return result;
}

}  // namespace entrain::checkpoint
