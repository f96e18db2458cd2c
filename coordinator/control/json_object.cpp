#include "coordinator/control/json_object.hpp"

#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::control {

JsonObject::JsonObject(const nlohmann::json& json, std::string_view what) : json_(json), what_(what) {
  if (!json.is_object()) throw DataError(cat(what, ": want a JSON object, got ", json.type_name()));
}

double JsonObject::number(const char* key) const {
  const auto& value = at(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(key, "a number");
  return value.get<double>();
}

std::optional<double> JsonObject::number_or_null(const char* key) const {
  if (at(key).is_null()) return std::nullopt;
  return number(key);
}

bool JsonObject::flag(const char* key) const {
  if (!at(key).is_boolean()) refuse(key, "true or false");
  return at(key).get<bool>();
}

std::string JsonObject::text(const char* key, std::size_t max_bytes) const {
  const auto& value = at(key);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > max_bytes)
    refuse(key, cat("text of at most ", max_bytes, " bytes"));
  return value.get<std::string>();
}

const nlohmann::json& JsonObject::array(const char* key, std::size_t max_items) const {
  const auto& value = at(key);
  if (!value.is_array() || value.size() > max_items) refuse(key, cat("an array of at most ", max_items));
  return value;
}

const nlohmann::json& JsonObject::at(const char* key) const {
  const auto found = json_.find(key);
  if (found == json_.end()) throw DataError(cat(what_, ": ", key, " is missing"));
  return *found;
}

void JsonObject::refuse(const char* key, std::string_view wanted) const {
  const auto& value = at(key);
  throw DataError(cat(what_, ": ", key, ": want ", wanted, ", got ",
                      value.is_number() ? value.dump() : std::string(value.type_name())));
}

}  // namespace entrain::control
