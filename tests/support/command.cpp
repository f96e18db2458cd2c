#include "tests/support/command.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace entrain::tests {
namespace {

constexpr const char* kEnvironment = "export PATH='" ENTRAIN_BIN_DIR
                                     "':\"$PATH\" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
                                     "OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_rmaps_base_oversubscribe=1 "
                                     "OMPI_MCA_mpi_yield_when_idle=1 NO_COLOR=1; ";

}  // namespace

Command::Command(const std::string& shell_command) {
  char name[] = "/tmp/entrain-test-XXXXXX";
  const int fd = ::mkstemp(name);
  if (fd < 0) throw std::runtime_error("mkstemp");
  output_path_ = name;
  const std::string line = kEnvironment + shell_command;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execl("/bin/bash", "bash", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(fd);
  if (pid_ < 0) throw std::runtime_error("fork");
}

Command::~Command() {
  if (!ended_) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::filesystem::remove(output_path_);
}

void Command::signal(int number) const { ::kill(pid_, number); }

Ran Command::wait(double timeout_s) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  int status = 0;
  Ran ran;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      ::kill(-pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      ended_ = true;
      ran.output = "(timed out) ";
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (!ended_) ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ended_ = true;
  std::stringstream text;
  text << std::ifstream(output_path_).rdbuf();
  ran.output += text.str();
  return ran;
}

Ran run(const std::string& shell_command, double timeout_s) { return Command(shell_command).wait(timeout_s); }

}  // namespace entrain::tests
