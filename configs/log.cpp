#include "configs/log.hpp"

#include <unistd.h>

#include <atomic>
#include <ctime>
#include <mutex>
#include <string>

#include "configs/cat.hpp"

namespace entrain {
namespace {
std::mutex mutex;
LogContext context;
std::atomic<std::int64_t> current_step{-1};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}
}  // namespace

void set_log_context(LogContext c) {
  const std::lock_guard lock(mutex);
  context = c;
}

void set_log_step(std::int64_t step) { current_step = step; }

void log(Level level, std::string_view text) {
  const std::lock_guard lock(mutex);
  if (level == Level::kInfo && context.rank != 0) return;
  std::string line = cat('[', utc_now(), " r", context.rank, '/', context.world);
  if (!context.stage.empty()) line += cat(' ', context.stage);
  if (current_step >= 0) line += cat(" step=", current_step.load());
  line += cat("] ",
              level == Level::kError     ? "error: "
              : level == Level::kWarning ? "warning: "
                                         : "",
              text, '\n');
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n <= 0) return;  // nowhere left to complain to
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace entrain
