#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace entrain {

/// Where the status page listens (http.bind).
struct HttpBind {
  std::string address{};  ///< without brackets
  std::uint16_t port = 0;
};

/// "127.0.0.1:8080", "[::1]:0", or "off": nothing. Throws ConfigError that names the form.
std::optional<HttpBind> parse_http_bind(const std::string& text);

}  // namespace entrain
