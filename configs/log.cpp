#include "configs/log.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>

#include "configs/cat.hpp"

namespace entrain {
namespace {

constexpr std::string_view kClearLine = "\r\x1b[K", kRed = "\x1b[31m", kYellow = "\x1b[33m",
                           kPlain = "\x1b[0m";

std::mutex mutex;
LogContext context;
std::string status;  // what stands in the last line of the terminal
std::atomic<std::int64_t> current_step{-1};

bool dumb_terminal() {
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb" || std::string_view(term).empty();
}

bool wants_colour() {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: present and not empty
  return log_is_terminal() && (no_color == nullptr || *no_color == '\0');
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;  // nowhere left to complain to
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string label(Level level) {
  if (level == Level::kInfo) return "";
  const std::string_view word = level == Level::kError ? "error:" : "warning:";
  if (!wants_colour()) return cat(word, ' ');
  return cat(level == Level::kError ? kRed : kYellow, word, kPlain, ' ');
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

void set_log_context(LogContext c) {
  const std::lock_guard lock(mutex);
  context = c;
}

void set_log_step(std::int64_t step) { current_step = step; }

bool log_is_terminal() { return ::isatty(STDERR_FILENO) == 1 && !dumb_terminal(); }

void log(Level level, std::string_view text) {
  const std::lock_guard lock(mutex);
  if (level == Level::kInfo && context.rank != 0) return;
  std::string line = status.empty() ? "" : std::string(kClearLine);
  line += cat('[', utc_now());
  if (context.world > 0) line += cat(" r", context.rank, '/', context.world);
  if (!context.stage.empty()) line += cat(' ', context.stage);
  if (current_step >= 0) line += cat(" step=", current_step.load());
  write_all(line += cat("] ", label(level), text, '\n', status));
}

void set_status_line(std::string_view line) {
  if (!log_is_terminal()) return;
  const std::lock_guard lock(mutex);
  if (line.empty() && status.empty()) return;
  status = line.substr(0, terminal_width() - 1);  // a full line would wrap, and could not be taken back
  write_all(cat(kClearLine, status));
}

}  // namespace entrain
