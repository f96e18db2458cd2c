#pragma once
#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace entrain::supervise {

/// The launcher of one generation (mpirun or srun), in a process group of its own: a Ctrl-C at the terminal reaches the
/// supervisor alone, and the step outlives a supervisor that is killed.
class StepProcess {
 public:
  /// `ended(status)`: as from waitpid(2); for one that was adopted, whose status nobody can have, -1.
  StepProcess(boost::asio::io_context& io, std::function<void(int status)> ended);

  /// LaunchError where the program cannot be started. `environment`: on top of ours; an empty value takes a name away.
  void start(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment);
  /// One that an earlier supervisor started. False: it is gone, or that pid is another process by now.
  bool adopt(pid_t pid, long long start_ticks);
  /// SIGTERM, after some seconds SIGKILL, and if even that does not end it, ended(-1): a launcher may wait for ever for
  /// a node that is gone. The ranks in `local_pids` get SIGKILL with it.
  void end(std::vector<pid_t> local_pids);

  pid_t pid() const { return pid_; }
  long long start_ticks() const { return start_ticks_; }

 private:
  void watch();
  void gone(int status);
  void press(int round);

  boost::asio::io_context& io_;
  std::function<void(int)> ended_;
  boost::asio::posix::stream_descriptor handle_;  // a pidfd
  boost::asio::steady_timer timer_;
  std::vector<pid_t> local_pids_;
  pid_t pid_ = 0;
  long long start_ticks_ = -1;
  bool child_ = false;
};

}  // namespace entrain::supervise
