#pragma once
#include <pthread.h>

#include <csignal>
#include <string>

namespace entrain::control {

/// Reads another thread's stack while that thread is stuck in whatever it does: a handler of SIGUSR2 in that thread only
/// notes addresses. One at a time in a process.
class StackProbe {
 public:
  /// Of the calling thread. Takes over SIGUSR2 until the end of the object; one that nobody asked for does nothing.
  StackProbe();
  ~StackProbe();
  StackProbe(const StackProbe&) = delete;
  StackProbe& operator=(const StackProbe&) = delete;

  /// From another thread: at most 24 frames, innermost first, one a line; or one line that says why there are none
  /// (no answer within two seconds).
  std::string take() const;

 private:
  pthread_t target_;
  struct sigaction former_ {};
};

}  // namespace entrain::control
