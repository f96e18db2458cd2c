#pragma once
#include <algorithm>
#include <chrono>

namespace entrain::control {

/// Seconds since the last call, at most one: after a time in which this process did not run (SIGSTOP, a suspended job)
/// nobody else is to be blamed for it.
class AwakeClock {
 public:
  double passed() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return std::min(seconds, 1.0);
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace entrain::control
