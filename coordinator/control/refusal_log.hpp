#pragma once
#include <cstdint>
#include <string>

namespace entrain::control {

/// Logs what was refused, at most one line a second: whoever can reach the port must not be able to fill the disk.
class RefusalLog {
 public:
  void note(const std::string& text);
  /// Often: what was held back is told once its second is over.
  void pass_time(double seconds);
  std::uint64_t refused() const { return refused_; }
  std::uint64_t lines() const { return lines_; }

 private:
  void tell(const std::string& text);

  double quiet_for_ = 0;  // seconds
  std::uint64_t refused_ = 0, held_back_ = 0, lines_ = 0;
};

}  // namespace entrain::control
