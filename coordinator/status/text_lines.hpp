#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/status/run_status.hpp"
#include "coordinator/status/status_text.hpp"

namespace entrain::status {

enum class Colour { kNone, kBold, kGood, kWatch, kBad, kFaint };

/// Good, to be watched, or bad.
Colour colour_of(const RunStatus& status);

/// "3.25" for 3.2501 and two digits.
std::string fixed(double value, int digits);

/// Lines for a terminal, none wider than the style's columns: what is longer goes on below, broken at spaces.
class Lines {
 public:
  explicit Lines(const TextStyle& style) : style_(style) {}

  /// `hang`: how far to the right the further lines begin.
  void add(std::string_view text, Colour colour = Colour::kNone, std::size_t hang = 4);
  /// The parts that are not empty, with some space between, on as many lines as they need.
  void add_parts(const std::vector<std::string>& parts);

  std::string take() { return std::move(out_); }

 private:
  const TextStyle& style_;
  std::string out_;
};

}  // namespace entrain::status
