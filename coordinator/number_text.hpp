#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace entrain::coordinator {

/// 10000000 -> "10,000,000".
inline std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

}  // namespace entrain::coordinator
