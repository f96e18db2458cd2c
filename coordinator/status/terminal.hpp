#pragma once
#include <cstddef>
#include <string>

namespace entrain::status {

/// Whether stdout is a terminal that can redraw lines.
bool stdout_is_terminal();
/// Also: nobody asked for none (NO_COLOR).
bool stdout_wants_colour();
/// Of the terminal; where stdout is none, as many as a line has.
std::size_t stdout_columns();

/// Text that is redrawn in its place on stdout, every few seconds, until a signal. One at a time.
class Redrawn {
 public:
  /// Hides the cursor; INT and TERM from here on end wait().
  Redrawn();
  /// The cursor and the handlers are as before.
  ~Redrawn();
  Redrawn(const Redrawn&) = delete;
  Redrawn& operator=(const Redrawn&) = delete;

  /// In place of what was shown before; cut to the height of the terminal.
  void show(const std::string& text);
  /// False: a signal came.
  bool wait(double seconds);
  /// The signal; 0: none.
  int signal() const;

 private:
  const bool terminal_;
  std::size_t lines_ = 0;
};

}  // namespace entrain::status
