#include "checkpoint/json_member.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace entrain::checkpoint {

std::string text_of(const nlohmann::json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

std::int64_t integer_of(const nlohmann::json& json, const char* key, std::int64_t otherwise) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
}

std::optional<double> number_of(const nlohmann::json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (!json.is_object() || found == json.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

nlohmann::json last_object(std::string_view lines) {
  nlohmann::json last;
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    if (auto json = nlohmann::json::parse(lines.substr(0, end), nullptr, false); json.is_object())
      last = std::move(json);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return last;
}

}  // namespace entrain::checkpoint
