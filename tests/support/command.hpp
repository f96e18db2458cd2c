#pragma once
#include <sys/types.h>

#include <string>

namespace entrain::tests {

/// How a program ended and what it wrote to stdout and stderr together.
struct Ran {
  int code = -1;  ///< exit code; 128 + n if killed by signal n
  std::string output;
};

/// A shell command in a process group of its own, with this build's programs first in PATH and Open MPI told to
/// stay on loopback and to run as root on few cores. Killed (the whole group) when the object goes.
class Command {
 public:
  explicit Command(const std::string& shell_command);
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Waits until it ends; after `timeout_s` the group is killed and the code is -1.
  Ran wait(double timeout_s = 100);
  void signal(int number) const;  ///< to the leader of the group: the shell becomes the program by exec
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  std::string output_path_;
  bool ended_ = false;
};

/// Command(...).wait().
Ran run(const std::string& shell_command, double timeout_s = 100);

}  // namespace entrain::tests
