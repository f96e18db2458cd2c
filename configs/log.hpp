#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace entrain {

enum class Level { kInfo, kWarning, kError };

/// Who is speaking: printed in front of every line. Set once by main() and by the stages.
struct LogContext {
  int rank = 0;
  int world = 0;                ///< 0: not one of several ranks
  std::string_view stage = "";  ///< must outlive its use: a string literal
};
void set_log_context(LogContext context);
/// The step that later lines carry; -1: none.
void set_log_step(std::int64_t step);

/// 2026-03-02T10:04:11Z
std::string utc_now();

/// One line on stderr: `[2026-03-02T10:04:11Z r3/8 pretrain step=12] error: text`. Info from rank 0 only,
/// warnings and errors from every rank. Any thread may call; a line is written by one write(2). On a terminal
/// warnings are yellow and errors red, unless NO_COLOR is set or TERM is dumb.
void log(Level level, std::string_view text);

/// Whether stderr is a terminal that can redraw a line.
bool log_is_terminal();
/// Keeps `line` below all that is logged, redrawn in place, cut to the width of the terminal; empty: takes it
/// away. Does nothing where log_is_terminal() is false: no carriage return ever reaches a file.
void set_status_line(std::string_view line);

}  // namespace entrain
