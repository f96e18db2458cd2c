#include "configs/http_bind.hpp"

#include <charconv>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain {

std::optional<HttpBind> parse_http_bind(const std::string& text) {
  if (text == "off") return std::nullopt;
  const auto colon = text.rfind(':');
  HttpBind bind{text.substr(0, colon), 0};
  if (bind.address.size() > 2 && bind.address.front() == '[' && bind.address.back() == ']')
    bind.address = bind.address.substr(1, bind.address.size() - 2);
  else if (bind.address.find(':') != std::string::npos)
    bind.address.clear();  // an IPv6 address without brackets: where would its port begin?
  const char *first = text.data() + colon + 1, *last = text.data() + text.size();
  const bool has_port = colon != std::string::npos && first != last;
  const auto [end, error] = has_port ? std::from_chars(first, last, bind.port)
                                     : std::from_chars_result{last, std::errc::invalid_argument};
  if (bind.address.empty() || error != std::errc{} || end != last)
    throw ConfigError(cat(
        "want ADDRESS:PORT, as in 127.0.0.1:0 (any free port) or \"[::1]:8080\", or off, got \"", text, '"'));
  return bind;
}

}  // namespace entrain
