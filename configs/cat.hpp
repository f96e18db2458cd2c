#pragma once
#include <sstream>
#include <string>

namespace entrain {

/// Joins its arguments with `<<`: cat("row ", 3) == "row 3". GCC 12 has no std::format.
template <typename... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace entrain
