#include "coordinator/status/status_text.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <string_view>
#include <vector>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/section.hpp"
#include "coordinator/status/gpu_totals.hpp"
#include "coordinator/status/lag_table.hpp"
#include "coordinator/status/text_lines.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::status {
namespace {

constexpr std::size_t kLongestKind = 12;

std::string counted(std::int64_t n, std::string_view what) { return cat(n, ' ', what, n == 1 ? "" : "s"); }

void add_head(Lines& lines, const RunStatus& s) {
  lines.add(cat(s.run_dir.empty() ? s.run_id : s.run_dir, s.stage.empty() ? "" : "  " + s.stage,
                s.generation > 0 ? cat("  generation ", s.generation) : "",
                s.job_id.empty() ? "" : "  job " + s.job_id),
            Colour::kBold);
  // The word of the document is made for pretraining.
  std::string state = s.state == "training" && s.stage == "evaluate" ? "evaluating" : s.state;
  if (s.exit_code >= 0) state += cat(", exit code ", s.exit_code);
  if (!s.reason.empty() && s.reason != s.state) state += ": " + s.reason;
  lines.add("  " + state, colour_of(s), 2);
}

std::string bar_of(const RunStatus& s, std::size_t width) {
  const double share = std::clamp(
      static_cast<double>(s.step) / static_cast<double>(std::max<std::int64_t>(1, s.total_steps)), 0.0, 1.0);
  const auto full = static_cast<std::size_t>(std::floor(share * static_cast<double>(width)));
  return cat('[', std::string(full, '#'), std::string(width - full, '.'), "] ",
             fixed(std::floor(share * 1000) / 10, 1), " %");
}

std::string commit_text(const RunStatus& s) {
  if (!has_commits(s)) return "";
  if (s.committed <= 0) return "nothing committed yet";
  std::string text = cat("committed step ", s.committed);
  if (s.commits.empty()) return text;
  if (!is_at_work(s) && s.state != "unknown") return cat(text, " at ", s.commits.back().time);
  if (const auto age = seconds_between(s.commits.back().time, s.now))
    text += cat(", ", duration_text(*age), " ago");
  return text;
}

void add_progress(Lines& lines, const RunStatus& s, const TextStyle& style) {
  std::string step = cat("  step ", s.step);
  if (s.total_steps > 0) {
    step += cat(" of ", s.total_steps, "  ");
    const std::size_t used = step.size() + sizeof "[] 100.0 %";
    if (style.columns > used + 10) step += bar_of(s, std::min<std::size_t>(40, style.columns - used));
  }
  lines.add(step);
  const auto known = [](const std::optional<double>& value, int digits, std::string_view unit) {
    return value ? cat(fixed(*value, digits), unit) : std::string();
  };
  lines.add_parts({s.loss ? cat("loss ", fixed(*s.loss, 4)) : "", known(s.views_per_second, 1, " views/s"),
                   known(s.step_seconds, 3, " s per step"),
                   s.eta_seconds ? cat(duration_text(*s.eta_seconds), " to go") : ""});
  lines.add_parts({commit_text(s), s.goodput ? cat("goodput ", fixed(100 * *s.goodput, 1), " %") : "",
                   s.failures > 0 ? counted(s.failures, "failure") : "",
                   s.deadline_seconds ? cat("job ends in ", duration_text(*s.deadline_seconds)) : ""});
}

// "0-2,5,7-63" of ascending numbers.
std::string ranges_text(const std::vector<std::int32_t>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += cat(text.empty() ? "" : ",", numbers[i], last > i ? cat('-', numbers[last]) : "");
    i = last + 1;
  }
  return text;
}

void add_alike(Lines& lines, const RunStatus& s, const std::vector<const RankStatus*>& odd) {
  const std::set<const RankStatus*> apart(odd.begin(), odd.end());
  std::vector<std::int32_t> numbers;
  std::set<std::string_view> hosts;
  std::int64_t first = 0, last = 0;
  for (const RankStatus& r : s.ranks) {
    hosts.insert(r.host);
    if (apart.count(&r) > 0) continue;
    first = numbers.empty() ? r.beat.step : std::min(first, r.beat.step);
    last = numbers.empty() ? r.beat.step : std::max(last, r.beat.step);
    numbers.push_back(r.beat.rank);
  }
  if (numbers.empty()) return;
  std::sort(numbers.begin(), numbers.end());
  std::string which = ranges_text(numbers);
  if (which.size() > 30) which = cat(numbers.size(), " of ", s.ranks.size());
  // A stage without steps has none to tell.
  const std::string steps =
      last > 0 || s.total_steps > 0 ? cat("step ", first, last > first ? cat('-', last) : "", ", ") : "";
  lines.add(cat("  ", numbers.size() == 1 ? "rank " : "ranks ", which, ": ", steps,
                is_at_work(s)  ? "alive"
                : has_ended(s) ? "ended"
                               : "when last heard",
                ", on ", counted(static_cast<std::int64_t>(hosts.size()), "host")));
}

void add_ranks(Lines& lines, const RunStatus& s) {
  constexpr std::size_t kOddShown = 10;
  lines.add_parts(gpu_words(gpu_totals(s)));
  if (s.ranks.empty()) {
    if (s.world > 0) lines.add(cat(is_at_work(s) ? "  no report from the " : "  ", counted(s.world, "rank")));
    return;
  }
  const auto odd = odd_ranks(s);
  add_alike(lines, s, odd);
  for (std::size_t i = 0; i < odd.size() && i < kOddShown; ++i) {
    const RankStatus& r = *odd[i];
    lines.add(
        cat("  rank ", r.beat.rank, ": step ", r.beat.step, ", ", r.health, r.beat.stopped ? ", stopped" : "",
            r.behind ? ", BEHIND" : "", ", ", control::name_of(r.beat.phase),
            !is_at_work(s) ? "" : " for " + duration_text(r.beat.seconds_in_phase), ", pid ", r.beat.pid,
            " on ", r.host),
        r.health == "dead" || r.behind ? Colour::kBad : Colour::kWatch);
  }
  if (odd.size() > kOddShown)
    lines.add(cat("  and ", odd.size() - kOddShown, " more that are not like the others"), Colour::kWatch);
}

Colour colour_of_kind(const std::string& kind) {
  if (kind == "dead" || kind == "hang" || kind == "behind") return Colour::kBad;
  return kind == "suspect" || kind == "exit" || kind == "drop" ? Colour::kWatch : Colour::kNone;
}

// An event may hold a table; its first rows are those that matter. Its columns stand below each other, on lines of their
// own.
void add_event(Lines& lines, const Event& event, std::size_t kind_width, const TextStyle& style) {
  std::vector<std::string> rows;
  std::istringstream text(event.text);
  for (std::string row; std::getline(text, row);) rows.push_back(row);
  std::string kind = terminal_text(event.kind, kLongestKind);
  kind.resize(std::max(kind.size(), kind_width), ' ');
  std::string line = cat("  ", terminal_text(event.time, 20), "  ", kind);
  const std::size_t hang = style.columns < 70 ? 4 : line.size() + 2;
  const bool apart = rows.size() > 1 && rows[0].starts_with(' ');
  if (!rows.empty() && !apart) line += "  " + rows[0];
  line.erase(line.find_last_not_of(' ') + 1);
  lines.add(line, colour_of_kind(event.kind), hang);
  if (!rows.empty() && !apart) rows.erase(rows.begin());
  const std::size_t shown = std::min(rows.size(), style.rows);
  for (std::size_t i = 0; i < shown; ++i) lines.add("  " + rows[i], colour_of_kind(event.kind), 8);
  if (const auto more = static_cast<std::int64_t>(rows.size() - shown); more > 0)
    lines.add(cat("    and ", counted(more, "more line"), " in events.jsonl"), colour_of_kind(event.kind));
}

void add_events(Lines& lines, const RunStatus& s, const TextStyle& style) {
  const std::size_t shown = std::min(style.events, s.events.size());
  if (shown > 0) lines.add("last events", Colour::kFaint);
  const auto newest = s.events.end() - static_cast<std::ptrdiff_t>(shown);
  std::size_t kind_width = 8;
  for (auto e = newest; e != s.events.end(); ++e)
    kind_width = std::max(kind_width, std::min(e->kind.size(), kLongestKind));
  for (auto e = newest; e != s.events.end(); ++e) add_event(lines, *e, kind_width, style);
}

}  // namespace

std::string status_text(const RunStatus& status, const TextStyle& style) {
  Lines lines(style);
  add_head(lines, status);
  if (status.step > 0 || status.total_steps > 0) add_progress(lines, status, style);
  add_ranks(lines, status);
  add_events(lines, status, style);
  return lines.take();
}

}  // namespace entrain::status
