#include "coordinator/status/utc_time.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

namespace entrain::status {

std::optional<std::int64_t> parse_utc(std::string_view text) {
  constexpr std::size_t kLength = std::string_view("2026-03-02T10:04:11Z").size();
  if (text.size() != kLength) return std::nullopt;
  std::tm utc{};
  int used = 0;
  if (std::sscanf(std::string(text).c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &used) != 6 ||
      used != static_cast<int>(kLength))
    return std::nullopt;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return static_cast<std::int64_t>(::timegm(&utc));
}

std::optional<double> seconds_between(std::string_view earlier, std::string_view later) {
  const auto from = parse_utc(earlier), to = parse_utc(later);
  if (!from || !to) return std::nullopt;
  return static_cast<double>(std::max<std::int64_t>(0, *to - *from));
}

}  // namespace entrain::status
