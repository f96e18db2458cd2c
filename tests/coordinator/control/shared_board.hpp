#pragma once
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <stdexcept>

#include "coordinator/control/progress.hpp"

namespace entrain::tests {

/// A board in memory that survives fork().
class SharedBoard {
 public:
  explicit SharedBoard(int local_ranks) : bytes_(control::ProgressBoard::bytes_for(local_ranks)) {
    memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap");
    control::ProgressBoard::create(memory_, local_ranks);
    local_ranks_ = local_ranks;
  }
  ~SharedBoard() { ::munmap(memory_, bytes_); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  control::ProgressBoard board() const { return {memory_, local_ranks_}; }

 private:
  std::size_t bytes_;
  void* memory_;
  int local_ranks_ = 0;
};

/// A child process that runs `body` and ends with 0; killed with the object. Fork before any thread is started.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ > 0) return;
    body();
    ::_exit(0);
  }
  ~Child() {
    if (ended_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// Its exit code once it has ended; -1: it has not; 128 + n: signal n.
  int ended() {
    int status = 0;
    if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = true;
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return code_;
  }

 private:
  pid_t pid_;
  bool ended_ = false;
  int code_ = -1;
};

}  // namespace entrain::tests
