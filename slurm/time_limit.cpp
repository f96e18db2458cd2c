#include "slurm/time_limit.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/error.hpp"
#include "slurm/fields.hpp"

namespace entrain::slurm {
namespace {

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > 1'000'000'000)
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<double> parse_slurm_time(const std::string& text) {
  const std::size_t dash = text.find('-');
  const bool has_days = dash != std::string::npos;
  std::vector<double> parts;
  for (const auto& part : split(has_days ? text.substr(dash + 1) : text, ':')) {
    const auto value = number(part);
    if (!value) return std::nullopt;
    parts.push_back(static_cast<double>(*value));
  }
  const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : 0; };
  if (parts.size() > 3) return std::nullopt;
  if (!has_days && parts.size() == 1) return part(0) * 60;
  if (!has_days && parts.size() == 2) return part(0) * 60 + part(1);
  const auto days = number(has_days ? text.substr(0, dash) : "0");
  if (!days) return std::nullopt;
  return static_cast<double>(*days) * 86400 + part(0) * 3600 + part(1) * 60 + part(2);
}

double parse_time_limit(const std::string& text) {
  const bool slurms = text.find('-') != std::string::npos || split(text, ':').size() == 3;
  const auto seconds = slurms ? parse_slurm_time(text) : std::nullopt;
  if (seconds && *seconds > 0) return *seconds;
  try {
    return parse_duration(text);
  } catch (const ConfigError&) {
    throw ConfigError(
        cat("want a time such as 24h, 90m or 1-12:00:00 (days-hours:minutes:seconds), got \"", text, '"'));
  }
}

std::string time_limit_text(double seconds) {
  const auto minutes = static_cast<long long>(std::ceil(seconds / 60));
  char text[64];
  std::snprintf(text, sizeof text, "%lld-%02lld:%02lld:00", minutes / 1440, minutes / 60 % 24, minutes % 60);
  return text;
}

}  // namespace entrain::slurm
