#include "configs/process.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <string_view>
#include <system_error>

#include "configs/cat.hpp"
#include "configs/log.hpp"

namespace entrain {
namespace {

// LibTorch's allocator throws an error of its own kind, which this folder must not know; its text says what it is.
bool is_about_memory(const std::exception& e) {
  return dynamic_cast<const std::bad_alloc*>(&e) != nullptr ||
         std::string_view(e.what()).find("can't allocate memory") != std::string_view::npos;
}

// Of LibTorch's text, with source lines before and a stack behind, what was asked for.
std::string_view asked_for(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  text = text.substr(0, text.find(". Error code"));
  const auto at = text.find("you tried to allocate");
  return at == text.npos ? text : text.substr(at);
}

LaunchError no_memory(const std::exception& e) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return LaunchError(
      cat("not enough memory: ", asked_for(e.what()), "; this process has used up to ", used.ru_maxrss / 1024,
          " MB. Ask for more (the job's memory, ulimit -v), start fewer ranks on this machine, "
          "or make batch.lane_images or data.prefetch smaller"));
}

bool reader_is_gone(int fd) {
  pollfd out{fd, 0, 0};
  return ::poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

void ignore_write_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

Error error_of(const std::exception& e) {
  if (const auto* ours = dynamic_cast<const Error*>(&e)) return *ours;
  if (is_about_memory(e)) return no_memory(e);
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&e))
    return DataError(
        cat(file->path1().empty() ? "file system" : file->path1().string(), ": ", file->code().message()));
  if (dynamic_cast<const std::ios_base::failure*>(&e))
    return DataError(cat("a file cannot be read: ", e.what()));
  if (const auto* system = dynamic_cast<const std::system_error*>(&e);
      system && system->code() == std::errc::resource_unavailable_try_again)
    return LaunchError(cat("no further thread can be started (", system->what(),
                           "); raise ulimit -u, start fewer ranks on this machine, or lower run.threads"));
  return {ExitCode::kBug, cat("a bug of Entrain's, please report it with the command line: ", e.what())};
}

int end_answer(int code) {
  errno = 0;
  std::cout.flush();
  if (std::cout) return code;
  const int why = errno;
  if (why == EPIPE || reader_is_gone(STDOUT_FILENO)) return code;
  log(Level::kError, cat("stdout: cannot be written to", why == 0 ? "" : cat(" (", std::strerror(why), ")"),
                         "; the answer is not complete"));
  return code == 0 ? static_cast<int>(ExitCode::kCheckpoint) : code;
}

}  // namespace entrain
