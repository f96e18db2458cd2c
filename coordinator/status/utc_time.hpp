#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace entrain::status {

/// "2026-03-02T10:04:11Z" as seconds since 1970; nothing for any other text.
std::optional<std::int64_t> parse_utc(std::string_view text);

/// Seconds from the one to the other, not below 0; nothing where one of them is no such text.
std::optional<double> seconds_between(std::string_view earlier, std::string_view later);

}  // namespace entrain::status
