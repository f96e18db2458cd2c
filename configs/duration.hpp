#pragma once
#include <cstdint>
#include <string>

namespace entrain {

/// "120s", "2m", "1.5h", "1d" -> seconds, above 0. Throws ConfigError that names the text.
double parse_duration(const std::string& text);
/// 8130 -> "2h15m", 95 -> "1m35s", 4.2 -> "4s".
std::string duration_text(double seconds);

/// How often a run commits: by steps or by the clock; the other one is 0.
struct CommitInterval {
  std::int64_t steps = 0;
  double seconds = 0;
  bool automatic = false;  ///< the run itself finds the seconds; these are to begin with
};
/// checkpoint.every: "auto", "500steps" or a duration. Throws ConfigError.
CommitInterval parse_commit_interval(const std::string& text);

}  // namespace entrain
