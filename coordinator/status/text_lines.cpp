#include "coordinator/status/text_lines.hpp"

#include <algorithm>
#include <cstdio>

#include "configs/cat.hpp"
#include "coordinator/status/lag_table.hpp"

namespace entrain::status {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Of a text whose first `width` characters are to be one line, where that line ends: at a space, if there is one.
std::size_t end_of_line(std::string_view text, std::size_t width) {
  std::size_t characters = 0, space = 0;
  bool word = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (continues(text[at])) continue;
    if (characters++ == width) return text[at] == ' ' || space == 0 ? at : space;
    if (text[at] == ' ' && word) space = at;
    word = word || text[at] != ' ';
  }
  return text.size();
}

}  // namespace

Colour colour_of(const RunStatus& s) {
  if (s.state == "training") return Colour::kGood;
  if (s.state == "ended") return s.exit_code == 0 ? Colour::kGood : Colour::kBad;
  return s.state == "unknown" || s.state == "none" ? Colour::kBad : Colour::kWatch;
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void Lines::add(std::string_view text, Colour colour, std::size_t hang) {
  constexpr std::string_view kCodes[] = {"", "\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"};
  const bool plain = !style_.colour || colour == Colour::kNone;
  const std::string safe = terminal_text(text, std::string::npos);
  std::string_view left = safe;
  std::string before;
  do {
    const std::size_t end = end_of_line(left, style_.columns - before.size());
    const std::string line = before + std::string(left.substr(0, end));
    out_ += plain ? line : cat(kCodes[static_cast<int>(colour)], line, "\x1b[0m");
    out_ += '\n';
    left.remove_prefix(std::min(left.size(), left.find_first_not_of(' ', end)));
    before.assign(std::min(hang, style_.columns / 2), ' ');
  } while (!left.empty());
}

void Lines::add_parts(const std::vector<std::string>& parts) {
  std::string line;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!line.empty() && 2 + line.size() + 3 + part.size() > style_.columns) {
      add("  " + line);
      line.clear();
    }
    line += (line.empty() ? "" : "   ") + part;
  }
  if (!line.empty()) add("  " + line);
}

}  // namespace entrain::status
