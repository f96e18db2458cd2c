#include "checkpoint/interval.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <string>

namespace entrain::checkpoint {
namespace {

constexpr double kDay = 86400;

// "2026-03-02T10:04:11Z" -> seconds since 1970; anything else -> `otherwise`.
double seconds_of(const nlohmann::json& record, double otherwise) {
  std::tm utc{};
  const auto text = record.value("time", std::string());
  if (::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc) == nullptr) return otherwise;
  return static_cast<double>(::timegm(&utc));
}

}  // namespace

double seconds_between_failures(const std::vector<nlohmann::json>& ledger, double now) {
  double ran = 0, began = now, last = now;
  std::int64_t failures = 0;
  bool running = false;
  for (const auto& record : ledger) {
    const auto kind = record.value("kind", std::string());
    if (kind == "START") {
      if (running) {  // the one before ended without a word
        ran += last - began;
        ++failures;
      }
      began = seconds_of(record, now);
      running = true;
    }
    last = seconds_of(record, last);
    if (kind == "END" && running) {
      const int code = record.value("code", 0);
      ran += last - began;
      failures += code != 0 && code != 75;
      running = false;
    }
  }
  if (running) ran += now - began;
  return (std::max(ran, 0.0) + kDay) / static_cast<double>(failures + 1);
}

double best_interval_seconds(double commit_seconds, double seconds_between_failures) {
  return std::clamp(std::sqrt(2 * commit_seconds * seconds_between_failures), 10.0, 1800.0);
}

double lead_seconds(double slowest_step, double slowest_commit) { return slowest_step + slowest_commit + 30; }

}  // namespace entrain::checkpoint
