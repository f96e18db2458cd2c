#include "coordinator/supervise/step_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "checkpoint/run_lock.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

extern char** environ;

namespace entrain::supervise {
namespace {

// Seconds from SIGTERM to SIGKILL, and from there to giving up on it.
constexpr std::array kPatience{std::chrono::seconds(4), std::chrono::seconds(6)};

std::vector<std::string> joined(const std::map<std::string, std::string>& ours) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (ours.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : ours)
    if (!value.empty()) all.push_back(cat(name, '=', value));
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (auto& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

// Between fork and exec only calls that are safe there.
[[noreturn]] void become(char* const* argv, char* const* envp, int report) {
  ::setpgid(0, 0);
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Sockets of ours that a launcher kept would stay open when we are gone, and their ports taken.
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  if (const int null = ::open("/dev/null", O_RDONLY); null >= 0) ::dup2(null, STDIN_FILENO);
  ::execvpe(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] const auto told = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

StepProcess::StepProcess(boost::asio::io_context& io, std::function<void(int)> ended)
    : io_(io), ended_(std::move(ended)), handle_(io), timer_(io) {}

void StepProcess::start(const std::vector<std::string>& words,
                        const std::map<std::string, std::string>& environment) {
  auto argv_words = words, env_words = joined(environment);
  const auto argv = pointers(argv_words), envp = pointers(env_words);
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) throw LaunchError(cat("no pipe: ", std::strerror(errno)));
  const pid_t pid = ::fork();
  if (pid == 0) become(argv.data(), envp.data(), report[1]);
  ::close(report[1]);
  int error = pid < 0 ? errno : 0;
  if (pid > 0 && ::read(report[0], &error, sizeof error) == sizeof error) ::waitpid(pid, nullptr, 0);
  ::close(report[0]);
  if (error != 0)
    throw LaunchError(cat(words[0], ": cannot be started: ", std::strerror(error),
                          "; is it on PATH? `entrain doctor` looks"));
  pid_ = pid;
  child_ = true;
  start_ticks_ = checkpoint::process_start_ticks(pid);
  watch();
}

bool StepProcess::adopt(pid_t pid, long long start_ticks) {
  if (pid <= 0 || start_ticks < 0 || checkpoint::process_start_ticks(pid) != start_ticks) return false;
  pid_ = pid;
  child_ = false;
  start_ticks_ = start_ticks;
  watch();
  return true;
}

void StepProcess::watch() {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (handle < 0) {  // gone already
    boost::asio::post(io_, [this] { gone(-1); });
    return;
  }
  handle_.assign(handle);
  handle_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const auto& error) {
    if (error) return;
    int status = -1;
    if (child_) ::waitpid(pid_, &status, 0);
    gone(status);
  });
}

void StepProcess::gone(int status) {
  if (pid_ == 0) return;
  pid_ = 0;
  timer_.cancel();
  boost::system::error_code ignored;
  handle_.close(ignored);
  ended_(status);
}

void StepProcess::end(std::vector<pid_t> local_pids) {
  local_pids_ = std::move(local_pids);
  if (pid_ != 0) press(0);
}

void StepProcess::press(int round) {
  if (pid_ == 0) return;
  if (round == 2) return gone(-1);
  ::kill(-pid_, round == 0 ? SIGTERM : SIGKILL);
  if (round == 0) ::kill(-pid_, SIGCONT);
  for (const pid_t rank : local_pids_) ::kill(rank, SIGKILL);
  timer_.expires_after(kPatience.at(static_cast<std::size_t>(round)));
  timer_.async_wait([this, round](const auto& error) {
    if (!error) press(round + 1);
  });
}

}  // namespace entrain::supervise
