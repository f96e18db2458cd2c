#include "coordinator/status/status_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <sstream>
#include <string_view>
#include <vector>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/section.hpp"
#include "coordinator/status/lag_table.hpp"
#include "coordinator/status/utc_time.hpp"

namespace entrain::status {
namespace {

enum class Colour { kNone, kBold, kGood, kWatch, kBad, kFaint };

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string counted(std::int64_t n, std::string_view what) { return cat(n, ' ', what, n == 1 ? "" : "s"); }

class Lines {
 public:
  explicit Lines(const TextStyle& style) : style_(style) {}
  void add(std::string_view text, Colour colour = Colour::kNone) {
    const std::string line = terminal_text(text, style_.columns);
    constexpr std::string_view kCodes[] = {"", "\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"};
    const bool plain = !style_.colour || colour == Colour::kNone;
    out_ += plain ? line : cat(kCodes[static_cast<int>(colour)], line, "\x1b[0m");
    out_ += '\n';
  }
  // Broken at spaces into as many lines as it needs.
  void add_wrapped(std::string_view text, Colour colour) {
    std::string left = terminal_text(text, 2000);
    while (left.size() + 2 > style_.columns) {
      std::size_t at = left.rfind(' ', style_.columns - 2);
      if (at == left.npos || at == 0) at = std::min(left.size(), style_.columns - 2);
      add("  " + left.substr(0, at), colour);
      left.erase(0, left[at] == ' ' ? at + 1 : at);
    }
    if (!left.empty()) add("  " + left, colour);
  }
  // The parts that are not empty, with two spaces between, on as many lines as they need.
  void add_parts(const std::vector<std::string>& parts) {
    std::string line;
    for (const std::string& part : parts) {
      if (part.empty()) continue;
      if (!line.empty() && 2 + line.size() + 3 + part.size() > style_.columns) {
        add("  " + line);
        line.clear();
      }
      line += (line.empty() ? "" : "   ") + part;
    }
    if (!line.empty()) add("  " + line);
  }
  std::string take() { return std::move(out_); }

 private:
  const TextStyle& style_;
  std::string out_;
};

Colour colour_of(const RunStatus& s) {
  if (s.state == "training") return Colour::kGood;
  if (s.state == "ended") return s.exit_code == 0 ? Colour::kGood : Colour::kBad;
  return s.state == "unknown" ? Colour::kBad : Colour::kWatch;
}

void add_head(Lines& lines, const RunStatus& s) {
  lines.add(cat(s.run_dir.empty() ? s.run_id : s.run_dir, s.stage.empty() ? "" : "  " + s.stage,
                s.generation > 0 ? cat("  generation ", s.generation) : "",
                s.job_id.empty() ? "" : "  job " + s.job_id),
            Colour::kBold);
  std::string state = s.state;
  if (s.exit_code >= 0) state += cat(", exit code ", s.exit_code);
  if (!s.reason.empty() && s.reason != s.state) state += ": " + s.reason;
  lines.add_wrapped(state, colour_of(s));
}

std::string bar_of(const RunStatus& s, std::size_t width) {
  const double share = std::clamp(
      static_cast<double>(s.step) / static_cast<double>(std::max<std::int64_t>(1, s.total_steps)), 0.0, 1.0);
  const auto full = static_cast<std::size_t>(std::floor(share * static_cast<double>(width)));
  return cat('[', std::string(full, '#'), std::string(width - full, '.'), "] ",
             fixed(std::floor(share * 1000) / 10, 1), " %");
}

std::string commit_text(const RunStatus& s) {
  if (s.committed <= 0) return "nothing committed yet";
  std::string text = cat("committed step ", s.committed);
  if (!s.commits.empty())
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
  lines.add_parts({commit_text(s), cat("goodput ", fixed(100 * s.goodput, 1), " %"),
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
  lines.add(cat("  ", numbers.size() == 1 ? "rank " : "ranks ", which, ": step ", first,
                last > first ? cat('-', last) : "", ", alive, on ",
                counted(static_cast<std::int64_t>(hosts.size()), "host")));
}

void add_ranks(Lines& lines, const RunStatus& s) {
  constexpr std::size_t kOddShown = 10;
  if (s.ranks.empty()) {
    if (s.world > 0) lines.add(cat("  ", counted(s.world, "rank"), "; nobody tells what each of them does"));
    return;
  }
  const auto odd = odd_ranks(s);
  add_alike(lines, s, odd);
  for (std::size_t i = 0; i < odd.size() && i < kOddShown; ++i) {
    const RankStatus& r = *odd[i];
    lines.add(
        cat("  rank ", r.beat.rank, ": step ", r.beat.step, ", ", r.health, r.beat.stopped ? ", stopped" : "",
            r.behind ? ", BEHIND" : "", ", ", control::name_of(r.beat.phase), " for ",
            duration_text(r.beat.seconds_in_phase), ", pid ", r.beat.pid, " on ", r.host),
        r.health == "dead" || r.behind ? Colour::kBad : Colour::kWatch);
  }
  if (odd.size() > kOddShown)
    lines.add(cat("  and ", odd.size() - kOddShown, " more that are not like the others"), Colour::kWatch);
}

Colour colour_of(const std::string& kind) {
  if (kind == "dead" || kind == "hang" || kind == "behind") return Colour::kBad;
  return kind == "suspect" || kind == "exit" || kind == "drop" ? Colour::kWatch : Colour::kNone;
}

// An event may hold a table; its first rows are those that matter.
void add_event(Lines& lines, const Event& event) {
  constexpr int kMostRows = 6;
  char kind[32];
  std::snprintf(kind, sizeof kind, "%-8s", terminal_text(event.kind, 12).c_str());
  std::string before = cat("  ", terminal_text(event.time, 20), "  ", kind, "  ");
  std::istringstream rows(event.text);
  std::string row;
  for (int i = 0; i < kMostRows && std::getline(rows, row); ++i) {
    lines.add(before + row, colour_of(event.kind));
    before = "  ";
  }
  if (std::getline(rows, row)) lines.add("  ...", colour_of(event.kind));
}

void add_events(Lines& lines, const RunStatus& s, std::size_t most) {
  const std::size_t shown = std::min(most, s.events.size());
  if (shown > 0) lines.add("last events", Colour::kFaint);
  for (std::size_t i = s.events.size() - shown; i < s.events.size(); ++i) add_event(lines, s.events[i]);
}

}  // namespace

std::string status_text(const RunStatus& status, const TextStyle& style) {
  Lines lines(style);
  add_head(lines, status);
  if (status.step > 0 || status.total_steps > 0) add_progress(lines, status, style);
  add_ranks(lines, status);
  add_events(lines, status, style.events);
  return lines.take();
}

}  // namespace entrain::status
