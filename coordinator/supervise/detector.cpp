#include "coordinator/supervise/detector.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <tuple>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/section.hpp"

namespace entrain::supervise {
namespace {

constexpr std::size_t kGaps = 1000;      // the longest of so many is their 99.9th percentile
constexpr double kTimesLongest = 5;      // as a safety factor
constexpr std::size_t kEnoughGaps = 30;  // fewer say little about the next one
constexpr std::size_t kRows = 24;        // of the table
constexpr std::size_t kHost = 30;        // characters of a name in it

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

auto position(const control::RankBeat& beat) {
  return std::make_tuple(beat.step, beat.collectives, beat.phase);
}

std::string names_of(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size() && i < 8; ++i) text += cat(i == 0 ? "" : ", ", ranks[i]);
  return ranks.size() > 8 ? cat(text, " and ", ranks.size() - 8, " more") : text;
}

using Row = std::array<std::string, 8>;

// Each as wide as the widest cell of its column, of blanks.
Row widths_of(const std::vector<Row>& rows) {
  Row widths;
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      if (row[c].size() > widths[c].size()) widths[c].assign(row[c].size(), ' ');
  return widths;
}

std::string line_of(const Row& row, const Row& widths) {
  std::string line;
  for (std::size_t c = 0; c < row.size(); ++c) line += cat("  ", row[c], widths[c].substr(row[c].size()));
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

}  // namespace

Detector::Detector(const Patience& patience, const PhaseLimits& limits, int world, bool has_steps, double now)
    : patience_(patience), limits_(limits), world_(world), has_steps_(has_steps), began_(now) {}

void Detector::beat(const control::NodeBeat& node, double now) {
  const bool was_whole = static_cast<int>(ranks_.size()) == world_;
  for (const auto& beat : node.ranks) {
    const auto [at, is_new] = ranks_.try_emplace(beat.rank);
    Watched& rank = at->second;
    if (is_new || beat.beats != rank.beat.beats) {
      if (!is_new && rank.connected && now - rank.alive_at < patience_.suspect) {
        gaps_.push_back(now - rank.alive_at);
        if (gaps_.size() > kGaps) gaps_.pop_front();
      }
      rank.alive_at = now;
    }
    if (is_new || position(beat) != position(rank.beat)) {
      if (!is_new) limits_.left(rank.beat.phase, rank.beat.seconds_in_phase);
      rank.moved_at = now;
    }
    limits_.finished_step(beat.step_seconds);
    rank.beat = beat;
    rank.host = node.host;
    rank.connected = true;
  }
  if (!was_whole && static_cast<int>(ranks_.size()) == world_) limits_.came_up(now - began_);
  if (!trained_ && trains()) {
    trained_ = true;
    limits_.began_to_train(now - began_);
  }
}

void Detector::lost(const std::string& host, double /*now*/) {
  for (auto& [number, rank] : ranks_)
    if (rank.host == host) rank.connected = false;
}

void Detector::stopped(int rank) {
  if (const auto found = ranks_.find(rank); found != ranks_.end()) found->second.beat.stopped = true;
}

void Detector::leaving(const std::string& host) {
  for (auto& [number, rank] : ranks_)
    if (rank.host == host) rank.beat.phase = control::Phase::kDone;
}

void Detector::slept(double seconds) {
  began_ += seconds;
  for (auto& [number, rank] : ranks_) rank.alive_at += seconds, rank.moved_at += seconds;
}

double Detector::dead_after() const {
  if (gaps_.size() < kEnoughGaps) return patience_.dead;
  return std::clamp(kTimesLongest * *std::max_element(gaps_.begin(), gaps_.end()), patience_.suspect,
                    patience_.dead);
}

bool Detector::trains() const {
  return static_cast<int>(ranks_.size()) == world_ &&
         std::all_of(ranks_.begin(), ranks_.end(), [this](const auto& r) {
           return has_steps_ ? r.second.beat.step_seconds > 0 : r.second.beat.phase != control::Phase::kSetup;
         });
}

// A rank that said goodbye is silent by right.
std::optional<Verdict> Detector::silent(double now) const {
  Verdict dead{.kind = Verdict::Kind::kDead}, suspect{.kind = Verdict::Kind::kSuspect};
  double longest = 0;
  for (const auto& [number, rank] : ranks_) {
    if (rank.beat.phase == control::Phase::kDone) continue;
    const double silence = now - rank.alive_at;
    if (silence < patience_.suspect) continue;
    longest = std::max(longest, silence);
    suspect.ranks.push_back(number);
    if (silence >= dead_after() || rank.beat.stopped || !rank.connected) dead.ranks.push_back(number);
  }
  if (suspect.ranks.empty()) return std::nullopt;
  Verdict& verdict = dead.ranks.empty() ? suspect : dead;
  const Watched& first = ranks_.at(verdict.ranks.front());
  std::vector<std::string> hosts;
  for (const int number : verdict.ranks)
    if (const auto& host = ranks_.at(number).host; hosts.empty() || hosts.back() != host)
      hosts.push_back(host);
  if (hosts.size() > 4) hosts = {hosts.front(), cat(hosts.size() - 1, " more hosts")};
  verdict.why = cat(
      names_of(verdict.ranks), " on ", join(hosts), ": no heartbeat for ", seconds_text(longest),
      first.beat.stopped ? cat("; process ", first.beat.pid, " is stopped (state T)")
      : first.connected  ? ""
                         : "; its connection is gone",
      dead.ranks.empty() ? cat("; taken for dead after ", seconds_text(dead_after())) : ": taken for dead");
  return verdict;
}

// The others wait for whoever entered the fewest collectives, or is not in one.
std::vector<int> Detector::culprits() const {
  std::vector<int> behind;
  const auto fewest = std::min_element(ranks_.begin(), ranks_.end(), [](const auto& a, const auto& b) {
    return a.second.beat.collectives < b.second.beat.collectives;
  });
  const auto most = std::max_element(ranks_.begin(), ranks_.end(), [](const auto& a, const auto& b) {
    return a.second.beat.collectives < b.second.beat.collectives;
  });
  const bool uneven = fewest->second.beat.collectives != most->second.beat.collectives;
  for (const auto& [number, rank] : ranks_)
    if (uneven ? rank.beat.collectives == fewest->second.beat.collectives
               : rank.beat.phase != control::Phase::kCollective)
      behind.push_back(number);
  if (behind.size() == ranks_.size()) behind.clear();
  return behind;
}

std::vector<int> Detector::waited_for(double now) const {
  if (ranks_.size() < 2) return {};
  const std::vector<int> behind = culprits();
  for (const auto& [number, rank] : ranks_) {
    if (std::find(behind.begin(), behind.end(), number) != behind.end()) continue;
    if (rank.beat.phase != control::Phase::kCollective ||
        rank.beat.seconds_in_phase + (now - rank.alive_at) < patience_.suspect)
      return {};
  }
  return behind;
}

// Whoever merely waits for others is as patient as they need: of the rest, the phase with the most time.
control::Phase Detector::slowest_phase(const std::vector<int>& behind) const {
  std::optional<control::Phase> slowest;
  for (const auto& [number, rank] : ranks_) {
    const bool waits = rank.beat.phase == control::Phase::kCollective && !behind.empty() &&
                       std::find(behind.begin(), behind.end(), number) == behind.end();
    if (waits) continue;
    // Until the first step is over, all of it is set-up.
    const auto phase = rank.beat.step_seconds == 0 && rank.beat.phase < control::Phase::kCommit
                           ? control::Phase::kSetup
                           : rank.beat.phase;
    if (!slowest || limits_.limit(phase) > limits_.limit(*slowest)) slowest = phase;
  }
  return slowest.value_or(control::Phase::kCollective);
}

std::optional<Verdict> Detector::stuck(double now) const {
  if (static_cast<int>(ranks_.size()) < world_) {
    if (now - began_ < std::min(patience_.hello, limits_.hello_limit())) return std::nullopt;
    return Verdict{Verdict::Kind::kHang,
                   {},
                   cat(world_ - static_cast<int>(ranks_.size()), " of ", world_,
                       " ranks have not come up in ", duration_text(now - began_))};
  }
  if (!has_steps_) return std::nullopt;
  double moved = 0;
  for (const auto& [number, rank] : ranks_) moved = std::max(moved, rank.moved_at);
  Verdict verdict{Verdict::Kind::kHang, culprits(), ""};
  const control::Phase phase = slowest_phase(verdict.ranks);
  const double limit = limits_.limit(phase);
  if (now - moved < limit) return std::nullopt;
  verdict.why = cat("no rank has moved for ", seconds_text(now - moved), " (at most ", seconds_text(limit),
                    " are allowed in phase ", name_of(phase), "); ",
                    !verdict.ranks.empty() ? cat("the others wait for ", names_of(verdict.ranks))
                    : phase == control::Phase::kCollective
                        ? "all are in the same collective: the network, or the library"
                        : "all of them are there");
  return verdict;
}

Verdict Detector::look(double now) const {
  const auto quiet = silent(now);
  if (quiet && quiet->kind == Verdict::Kind::kDead) return *quiet;
  if (const auto hang = stuck(now)) return *hang;
  return quiet.value_or(Verdict{});
}

std::string Detector::table(double now) const {
  std::vector<const Watched*> all;
  for (const auto& [number, rank] : ranks_) all.push_back(&rank);
  std::stable_sort(all.begin(), all.end(), [](const Watched* a, const Watched* b) {
    return std::tie(a->beat.collectives, a->beat.step) < std::tie(b->beat.collectives, b->beat.step);
  });
  const std::size_t left_out = all.size() > kRows ? all.size() - kRows : 0;
  all.resize(all.size() - left_out);
  std::vector<Row> rows{{"rank", "host", "pid", "step", "phase", "for", "collective", "heartbeat"}};
  for (const Watched* w : all)
    rows.push_back(
        {cat(w->beat.rank), printable(w->host).substr(0, kHost), cat(w->beat.pid), cat(w->beat.step),
         std::string(name_of(w->beat.phase)), seconds_text(w->beat.seconds_in_phase + (now - w->alive_at)),
         cat(w->beat.collectives),
         cat(seconds_text(now - w->alive_at), " ago", w->beat.stopped ? ", stopped (state T)" : "")});
  const Row widths = widths_of(rows);
  std::string out = line_of(rows.front(), widths);
  for (std::size_t i = 0; i < all.size(); ++i) {
    out += '\n' + line_of(rows[i + 1], widths);
    const std::string& stack = all[i]->beat.stack;
    for (std::size_t at = 0; at < stack.size();) {
      const auto end = std::min(stack.find('\n', at), stack.size());
      out += cat("\n        ", stack.substr(at, end - at));
      at = end + 1;
    }
  }
  if (left_out > 0) out += cat("\n  and ", left_out, " ranks that are not further behind");
  return out;
}

}  // namespace entrain::supervise
