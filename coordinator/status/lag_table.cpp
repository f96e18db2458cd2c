#include "coordinator/status/lag_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/section.hpp"

namespace entrain::status {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::int64_t median_step(const RunStatus& s) {
  std::vector<std::int64_t> steps;
  for (const RankStatus& r : s.ranks) steps.push_back(r.beat.step);
  if (steps.empty()) return 0;
  std::nth_element(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2), steps.end());
  return steps[steps.size() / 2];
}

std::uint64_t most_collectives(const RunStatus& s) {
  std::uint64_t most = 0;
  for (const RankStatus& r : s.ranks) most = std::max(most, r.beat.collectives);
  return most;
}

// Orders those that hold the others up first.
auto lag_key(const RankStatus& r) {
  return std::make_tuple(!r.behind, r.health == "alive", r.beat.step, r.beat.collectives, r.beat.rank);
}

void sort_by_lag(std::vector<const RankStatus*>& ranks) {
  std::sort(ranks.begin(), ranks.end(),
            [](const RankStatus* a, const RankStatus* b) { return lag_key(*a) < lag_key(*b); });
}

std::string mark_of(const RankStatus& r) {
  std::string mark = r.health;
  if (r.beat.stopped) mark += ", stopped";
  if (r.beat.signal != 0) mark += cat(", caught signal ", r.beat.signal);
  if (r.behind) mark += ", BEHIND";
  if (const auto& busy = r.beat.gpu.utilization) mark += cat(", GPU ", std::lround(100 * *busy), " % busy");
  return mark;
}

}  // namespace

std::string terminal_text(std::string_view text, std::size_t width) {
  std::string visible;
  const std::string safe = printable(text);
  for (std::size_t i = 0; i < safe.size(); ++i) {
    // U+0080 to U+009F: some terminals obey them like an escape.
    const bool control =
        safe[i] == '\xC2' && i + 1 < safe.size() && static_cast<unsigned char>(safe[i + 1]) < 0xA0;
    if (control) ++i;
    visible += control ? '?' : safe[i];
  }
  std::size_t characters = 0, cut = visible.size();
  for (std::size_t i = 0; i < visible.size(); ++i) {
    if (continues(visible[i])) continue;
    if (characters + 3 == width) cut = i;
    ++characters;
  }
  if (characters <= width) return visible;
  return width <= 3 ? std::string(width, '.') : visible.substr(0, cut) + "...";
}

std::vector<const RankStatus*> odd_ranks(const RunStatus& status) {
  const std::int64_t usual = median_step(status);
  std::vector<const RankStatus*> odd;
  for (const RankStatus& r : status.ranks)
    if (!is_at_work(status)
            ? r.health == "dead"
            : r.behind || r.health != "alive" || r.beat.stopped || std::llabs(r.beat.step - usual) >= 2)
      odd.push_back(&r);
  sort_by_lag(odd);
  return odd;
}

std::string who_is_behind(const RunStatus& status) {
  std::vector<const RankStatus*> behind;
  for (const RankStatus& r : status.ranks)
    if (r.behind) behind.push_back(&r);
  if (behind.empty()) return "";
  sort_by_lag(behind);
  const control::RankBeat& beat = behind[0]->beat;
  std::string text =
      cat("rank ", beat.rank, " on ", terminal_text(behind[0]->host, 40),
          behind.size() > 1 ? cat(" and ", behind.size() - 1, " more are") : " is", " behind: step ",
          beat.step, ", in ", control::name_of(beat.phase), " for ", duration_text(beat.seconds_in_phase));
  if (const std::uint64_t most = most_collectives(status); most > beat.collectives)
    text += cat(", ", most - beat.collectives, " collectives fewer than the others");
  if (beat.stopped) text += ", its process is stopped";
  return behind[0]->health == "alive" ? text : cat(text, ", ", terminal_text(behind[0]->health, 20));
}

std::string lag_table(const RunStatus& status) {
  const std::string behind = who_is_behind(status);
  const char* nobody = has_ended(status)    ? " ranks, last heard of before the run ended"
                       : is_at_work(status) ? " ranks, nobody is behind"
                                            : " ranks, nobody watches them";
  std::string text = (behind.empty() ? cat(status.ranks.size(), nobody) : behind) + '\n';
  if (status.ranks.empty()) return text;
  std::vector<const RankStatus*> ranks;
  for (const RankStatus& r : status.ranks) ranks.push_back(&r);
  sort_by_lag(ranks);
  constexpr const char* kRow = "%6s  %-20s  %8s  %9s  %-10s  %8s  %11s  %5s  %8s  %8s  ";
  char row[160];
  std::snprintf(row, sizeof row, kRow, "rank", "host", "pid", "step", "phase", "for", "collectives", "ahead",
                "memory", "step s");
  text += cat('\n', row, "health\n");
  for (const RankStatus* r : ranks) {
    const control::RankBeat& b = r->beat;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", b.step_seconds);
    std::snprintf(row, sizeof row, kRow, cat(b.rank).c_str(), terminal_text(r->host, 20).c_str(),
                  cat(b.pid).c_str(), cat(b.step).c_str(), std::string(control::name_of(b.phase)).c_str(),
                  (!is_at_work(status) ? "-" : duration_text(b.seconds_in_phase)).c_str(),
                  cat(b.collectives).c_str(), cat(b.queue_depth).c_str(),
                  cat(b.memory_bytes >> 20, " MB").c_str(), seconds);
    text += cat(row, terminal_text(mark_of(*r), 60), '\n');
  }
  return text;
}

}  // namespace entrain::status
