#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

// JSON that others wrote, or that a crash has torn: nothing here throws for what it holds.
namespace entrain::checkpoint {

/// The member of that name, where `json` is an object and the member has that type; else "" or `otherwise`.
std::string text_of(const nlohmann::json& json, const char* key);
std::int64_t integer_of(const nlohmann::json& json, const char* key, std::int64_t otherwise);
/// The same of a finite number; nothing where it is none.
std::optional<double> number_of(const nlohmann::json& json, const char* key);

/// The last line of what a program printed that is a JSON object; null where there is none. Launchers print of their own.
nlohmann::json last_object(std::string_view lines);

}  // namespace entrain::checkpoint
