#pragma once
#include <concepts>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace entrain::control {

/// Reads one JSON object that anybody may have written: each value has the type and range that was asked for, or it is
/// a DataError. (nlohmann's own get<int>() turns 1e300 and true into some int.)
class JsonObject {
 public:
  /// `what` names the object in errors and must outlive it. DataError: not an object.
  JsonObject(const nlohmann::json& json, std::string_view what);

  template <std::integral T>
  T integer(const char* key, T low = std::numeric_limits<T>::min(),
            T high = std::numeric_limits<T>::max()) const {
    const auto& value = at(key);
    if (value.is_number_unsigned()) {
      const auto number = value.get<nlohmann::json::number_unsigned_t>();
      if (std::in_range<T>(number) && low <= static_cast<T>(number) && static_cast<T>(number) <= high)
        return static_cast<T>(number);
    } else if (value.is_number_integer()) {
      const auto number = value.get<nlohmann::json::number_integer_t>();
      if (std::in_range<T>(number) && low <= static_cast<T>(number) && static_cast<T>(number) <= high)
        return static_cast<T>(number);
    }
    refuse(key, "a whole number in its range");
  }
  /// Finite.
  double number(const char* key) const;
  std::optional<double> number_or_null(const char* key) const;
  bool flag(const char* key) const;
  std::string text(const char* key, std::size_t max_bytes) const;
  bool has(const char* key) const { return json_.contains(key); }
  const nlohmann::json& array(const char* key, std::size_t max_items) const;

 private:
  const nlohmann::json& at(const char* key) const;
  [[noreturn]] void refuse(const char* key, std::string_view wanted) const;

  const nlohmann::json& json_;
  std::string_view what_;
};

}  // namespace entrain::control
