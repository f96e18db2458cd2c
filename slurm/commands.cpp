#include "slurm/commands.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"

extern char** environ;

namespace entrain::slurm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kToStop{4};  // from SIGTERM to SIGKILL

struct Handle {
  explicit Handle(int number) : fd(number) {
    if (fd < 0)
      throw LaunchError(cat("no pipe to be had (", std::strerror(errno), "); too many open files?"));
  }
  ~Handle() { close(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int fd;
};

struct Pipe {
  Pipe() : Pipe(make()) {}
  explicit Pipe(std::array<int, 2> ends) : reader(ends[0]), writer(ends[1]) {}
  static std::array<int, 2> make() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) == 0) ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends;
  }
  Handle reader, writer;
};

// As a file: a program that does not read its stdin cannot make us wait, or end us by SIGPIPE.
int file_of(const std::string& text) {
  const int fd = ::memfd_create("stdin", MFD_CLOEXEC);
  std::string_view rest = text;
  while (fd >= 0 && !rest.empty()) {
    const ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n <= 0) throw LaunchError(cat("no memory for the input of a program (", std::strerror(errno), ')'));
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (fd >= 0) ::lseek(fd, 0, SEEK_SET);
  return fd;
}

// posix_spawn and not fork: other threads of a rank may hold locks at this moment. 0, or an errno.
int spawn(const std::vector<std::string>& words, const Handle& in, const Pipe& out, const Pipe& err,
          pid_t& pid) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in.fd, 0);
  ::posix_spawn_file_actions_adddup2(&files, out.writer.fd, 1);
  ::posix_spawn_file_actions_adddup2(&files, err.writer.fd, 2);
  posix_spawnattr_t how;
  ::posix_spawnattr_init(&how);
  sigset_t usual, none;
  ::sigemptyset(&none);
  ::sigemptyset(&usual);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGUSR1}) ::sigaddset(&usual, signal);
  ::posix_spawnattr_setsigdefault(&how, &usual);
  ::posix_spawnattr_setsigmask(&how, &none);
  ::posix_spawnattr_setpgroup(&how, 0);
  ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int error = ::posix_spawnp(&pid, argv[0], &files, &how, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&how);
  return error;
}

// False: the other end is closed.
bool read_some(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

// One look at both pipes, for at most 20 ms.
void read_both(Pipe& out, Pipe& err, CommandResult& result) {
  std::array<pollfd, 2> wait{{{out.reader.fd, POLLIN, 0}, {err.reader.fd, POLLIN, 0}}};
  ::poll(wait.data(), wait.size(), 20);
  if (wait[0].revents != 0 && !read_some(out.reader.fd, result.out)) out.reader.close();
  if (wait[1].revents != 0 && !read_some(err.reader.fd, result.err)) err.reader.close();
}

// Nothing: still running.
std::optional<int> status_of(pid_t pid) {
  int status = 0;
  const pid_t ended = ::waitpid(pid, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return std::nullopt;
  if (ended < 0) return -1;  // somebody else waited for it
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string complaint_of(const CommandResult& r, const std::string& program, double seconds) {
  if (r.ok()) return "";
  if (r.end == CommandResult::End::kAbsent) return cat(program, ": there is no such program on PATH");
  if (r.end == CommandResult::End::kTimedOut) return cat(program, ": did not answer within ", seconds, " s");
  if (r.end == CommandResult::End::kStopped) return cat(program, ": was ended before it had answered");
  const std::string said = one_line(r.err.empty() ? r.out : r.err);
  return cat(program, ": ", said.empty() ? cat("ended with ", r.code, " and said nothing") : said);
}

// Until the program has ended, `seconds` are over, or somebody wants it to stop.
void watch(pid_t pid, double seconds, const std::stop_token& stop, Pipe& out, Pipe& err,
           CommandResult& result) {
  using End = CommandResult::End;
  auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::optional<int> code;
  bool killed = false;
  while (!(code = status_of(pid))) {
    if (stop.stop_requested() && result.end == End::kExited) {
      result.end = End::kStopped;
      ::kill(-pid, SIGTERM);
      end = Clock::now() + kToStop;
    } else if (Clock::now() >= end) {
      if (killed) break;  // not even SIGKILL ends it: it waits for a disk
      killed = true;
      if (result.end == End::kExited) result.end = End::kTimedOut;
      ::kill(-pid, SIGKILL);
      end = Clock::now() + std::chrono::seconds(2);
    }
    read_both(out, err, result);
  }
  result.code = result.end == End::kExited ? *code : -1;
  // What is still in the pipes; a grandchild may keep them open for ever.
  for (std::size_t had = result.out.size() + result.err.size() + 1;
       had != result.out.size() + result.err.size();) {
    had = result.out.size() + result.err.size();
    read_both(out, err, result);
  }
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words, double seconds, const std::string& input,
                          const std::stop_token& stop) {
  CommandResult result;
  const Handle in(file_of(input));
  Pipe out, err;
  pid_t pid = 0;
  const int error = spawn(words, in, out, err, pid);
  out.writer.close();
  err.writer.close();
  if (error == ENOENT || error == EACCES || error == ENOTDIR) {
    result.end = CommandResult::End::kAbsent;
    result.code = -1;
  } else if (error != 0) {
    throw LaunchError(cat(words[0], ": cannot be started (", std::strerror(error), "); too many processes?"));
  } else {
    watch(pid, seconds, stop, out, err, result);
  }
  result.complaint = complaint_of(result, words[0], seconds);
  return result;
}

}  // namespace entrain::slurm
