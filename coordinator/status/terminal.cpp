#include "coordinator/status/terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <string_view>

#include "configs/cat.hpp"

namespace entrain::status {
namespace {

volatile std::sig_atomic_t caught = 0;
void catch_signal(int number) { caught = number; }

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

winsize size_of_stdout() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

}  // namespace

bool stdout_is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

bool stdout_wants_colour() {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: present and not empty
  return stdout_is_terminal() && (no_color == nullptr || *no_color == '\0');
}

std::size_t stdout_columns() {
  const std::size_t columns = size_of_stdout().ws_col;
  return columns == 0 ? std::numeric_limits<std::size_t>::max() : std::max<std::size_t>(columns, 40);
}

Redrawn::Redrawn() : terminal_(stdout_is_terminal()) {
  caught = 0;
  struct sigaction action {};
  action.sa_handler = catch_signal;  // without SA_RESTART: poll() is to end
  for (const int number : kSignals) ::sigaction(number, &action, nullptr);
  if (terminal_) std::cout << "\x1b[?25l" << std::flush;
}

Redrawn::~Redrawn() {
  if (terminal_) std::cout << "\x1b[?25h" << std::flush;
  for (const int number : kSignals) std::signal(number, SIG_DFL);
}

void Redrawn::show(const std::string& text) {
  if (!terminal_) {
    std::cout << (lines_ > 0 ? "\n" : "") << text << std::flush;
    lines_ = 1;
    return;
  }
  const std::size_t rows = size_of_stdout().ws_row;
  std::size_t end = text.size();
  if (rows > 1) {
    end = 0;
    for (std::size_t line = 0; line + 1 < rows && end < text.size(); ++line)
      end = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  if (lines_ > 0) std::cout << cat("\x1b[", lines_, "A");
  std::cout << "\r\x1b[J" << text.substr(0, end) << std::flush;
  lines_ = static_cast<std::size_t>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
}

bool Redrawn::wait(double seconds) {
  if (caught == 0) ::poll(nullptr, 0, static_cast<int>(seconds * 1000));
  return caught == 0;
}

int Redrawn::signal() const { return caught; }

}  // namespace entrain::status
