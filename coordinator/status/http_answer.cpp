#include "coordinator/status/http_answer.hpp"

#include <openssl/crypto.h>

#include <charconv>
#include <utility>

#include "configs/cat.hpp"
#include "coordinator/status/lag_table.hpp"
#include "coordinator/status/metrics.hpp"
#include "coordinator/status/page.hpp"
#include "coordinator/status/status_file.hpp"

namespace entrain::status {
namespace {

// %41 -> A. What is no such triple stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The value of `token` in "token=..&..".
std::string token_of_query(std::string_view query) {
  constexpr std::string_view kKey = "token=";
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    if (pair.starts_with(kKey)) return percent_decoded(pair.substr(kKey.size()));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return "";
}

// In a time that depends on the length alone, which is no secret.
bool equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool is_allowed(const Question& question, std::string_view query, std::string_view token) {
  constexpr std::string_view kBearer = "Bearer ";
  if (question.authorization.starts_with(kBearer))
    return equal(question.authorization.substr(kBearer.size()), token);
  return equal(token_of_query(query), token);
}

Answer health(const RunStatus& s) {
  const bool ended_badly = s.state == "ended" && s.exit_code != 0 && s.exit_code != 75;
  if (s.state != "recovering" && s.state != "unknown" && !ended_badly) return {.body = "ok\n"};
  const std::string code = ended_badly ? cat(" (exit code ", s.exit_code, ")") : "";
  return {.code = 503, .body = cat(s.state, code, ": ", terminal_text(s.reason, 500), '\n')};
}

Answer refusal(std::string_view where) {
  return {.code = 401,
          .body = cat("This run tells its status to those who can read its folder. The token is ", where,
                      "; give it as ?token=TOKEN behind the address, or in the header Authorization: Bearer "
                      "TOKEN.\n")};
}

}  // namespace

void Published::publish(RunStatus status) {
  status_ = settled(std::move(status));
  json_.clear();
  metrics_.clear();
  compared_ = false;
}

const std::string& Published::json() const {
  if (json_.empty()) json_ = status_json(status_);
  return json_;
}

const std::string& Published::metrics() const {
  if (metrics_.empty()) metrics_ = metrics_text(status_);
  return metrics_;
}

std::uint64_t Published::version() const {
  if (compared_) return version_;
  RunStatus timeless = status_;
  timeless.now.clear();
  std::string text = status_json(timeless);
  if (text != timeless_) {
    timeless_ = std::move(text);
    ++version_;
  }
  compared_ = true;
  return version_;
}

Answer answer(const Question& question, const Published& published, std::string_view token,
              std::string_view where) {
  const std::size_t mark = question.target.find('?');
  const std::string_view path = question.target.substr(0, mark);
  const std::string_view query = mark == path.npos ? "" : question.target.substr(mark + 1);
  if (question.method != "GET" && question.method != "HEAD")
    return {.code = 405, .body = "Only GET and HEAD: this server tells, it takes no orders.\n"};
  if (path == "/healthz") return health(published.status());
  if (!is_allowed(question, query, token)) return refusal(where);
  if (path == "/") return {.type = "text/html; charset=utf-8", .body = std::string(page_html())};
  if (path == "/status") return {.type = "application/json", .body = published.json()};
  if (path == "/metrics") return {.type = kMetricsType, .body = published.metrics()};
  if (path == "/ranks") return {.body = lag_table(published.status())};
  if (path == "/events") return {.type = "text/event-stream", .events = true};
  return {.code = 404, .body = "There are /, /healthz, /status, /metrics, /ranks and /events.\n"};
}

}  // namespace entrain::status
