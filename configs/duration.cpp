#include "configs/duration.hpp"

#include <charconv>
#include <cmath>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain {

double parse_duration(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, number);
  const std::string_view name(unit, static_cast<std::size_t>(end - unit));
  const double scale = name == "s" ? 1 : name == "m" ? 60 : name == "h" ? 3600 : name == "d" ? 86400 : 0;
  const double seconds = number * scale;
  if (error != std::errc{} || !(seconds > 0) || !std::isfinite(seconds))
    throw ConfigError(cat("want a time above 0 such as 120s, 2m, 2h or 1d, got \"", text, '"'));
  return seconds;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds > 1e15) return "?";
  const auto whole = static_cast<std::int64_t>(std::llround(seconds < 0 ? 0 : seconds));
  const std::int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (days > 0) return hours > 0 ? cat(days, 'd', hours, 'h') : cat(days, 'd');
  if (hours > 0) return cat(hours, 'h', minutes < 10 ? "0" : "", minutes, 'm');
  if (minutes > 0) return cat(minutes, 'm', whole % 60 < 10 ? "0" : "", whole % 60, 's');
  return cat(whole, 's');
}

CommitInterval parse_commit_interval(const std::string& text) {
  if (text == "auto") return {0, 60, true};
  std::int64_t steps = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, steps);
  const std::string_view name(unit, static_cast<std::size_t>(end - unit));
  if (error == std::errc{} && (name == "steps" || name == "step")) {
    if (steps >= 1) return {steps, 0};
    throw ConfigError(cat("want at least 1step, got \"", text, '"'));
  }
  try {
    return {0, parse_duration(text)};
  } catch (const ConfigError&) {
    throw ConfigError(
        cat("want auto, a number of steps such as 500steps, or a time such as 120s, 2m or 2h, got \"", text,
            '"'));
  }
}

}  // namespace entrain
