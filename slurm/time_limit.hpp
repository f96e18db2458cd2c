#pragma once
#include <optional>
#include <string>

namespace entrain::slurm {

/// slurm.time in seconds: 24h, 90m, 1.5h or 1d, or Slurm's D-HH:MM:SS, HH:MM:SS, D-HH, D-HH:MM. A bare number or MM:SS is
/// refused: people take it for hours as often as for minutes. ConfigError.
double parse_time_limit(const std::string& text);
/// 86400 -> "1-00:00:00", rounded up to a minute, which is what Slurm counts in.
std::string time_limit_text(double seconds);
/// What Slurm prints: 1-00:00:00, 30:00, 5 (minutes). Nothing for UNLIMITED, infinite, n/a and whatever else.
std::optional<double> parse_slurm_time(const std::string& text);

}  // namespace entrain::slurm
