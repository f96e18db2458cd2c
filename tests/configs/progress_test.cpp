// What people see: a bar on a real pseudo-terminal, plain lines in a pipe, and log lines that do not garble the bar.
#include "configs/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "configs/log.hpp"

namespace entrain {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Stderr { kTerminal, kPipe };

std::string read_all(int fd) {
  std::string out;
  std::array<char, 4096> buffer{};
  for (ssize_t n; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
    out.append(buffer.data(), static_cast<std::size_t>(n));
  return out;  // a pseudo-terminal whose other side is closed answers EIO
}

// What `body` writes to stderr in a process of its own, where stderr is a pseudo-terminal of `columns` or a pipe.
std::string stderr_of(Stderr kind, const std::function<void()>& body, unsigned short columns = 120) {
  int read_end = -1, write_end = -1;
  if (kind == Stderr::kTerminal) {
    winsize size{};
    size.ws_row = 24, size.ws_col = columns;
    EXPECT_EQ(::openpty(&read_end, &write_end, nullptr, nullptr, &size), 0);
  } else {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    read_end = ends[0], write_end = ends[1];
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(read_end);
    ::dup2(write_end, STDERR_FILENO);
    ::close(write_end);
    ::setenv("TERM", "xterm", 0);
    body();
    ::_exit(0);
  }
  ::close(write_end);
  const std::string out = read_all(read_end);
  ::close(read_end);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return out;
}

// The lines that a terminal of endless height would show in the end: a carriage return goes back to the left, ESC[K
// clears to the right; the terminal itself makes \r\n of \n.
std::vector<std::string> screen(const std::string& bytes) {
  std::vector<std::string> lines(1);
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes.compare(i, 3, "\x1b[K") == 0)
      lines.back().resize(column), i += 2;
    else if (bytes[i] == '\r')
      column = 0;
    else if (bytes[i] == '\n')
      lines.emplace_back();
    else {
      lines.back().resize(std::max(lines.back().size(), column + 1), ' ');
      lines.back()[column++] = bytes[i];
    }
  }
  return lines;
}

void train(
    int steps, milliseconds interval, milliseconds pause,
    const std::function<void(int)>& between = [](int) {}) {
  Progress progress(0, steps, interval);
  for (int step = 1; step <= steps; ++step) {
    std::this_thread::sleep_for(pause);
    progress.update(step, 4.5 - 0.1 * step, 64);
    between(step);
  }
  progress.finish();
}

TEST(Progress, ATerminalShowsOneBarRedrawnInPlace) {
  const std::string bytes =
      stderr_of(Stderr::kTerminal, [] { train(8, milliseconds(10), milliseconds(120)); });
  EXPECT_THAT(bytes, HasSubstr("\r\x1b[K["));
  EXPECT_THAT(bytes, HasSubstr("[############------------] step 4/8 (50.0 %), "));
  EXPECT_THAT(bytes, HasSubstr("views/s, loss 4.1000, "));
  const auto lines = screen(bytes);
  ASSERT_EQ(lines.size(), 2U) << "the bar leaves one log line behind, and an empty one";
  EXPECT_THAT(lines[0], HasSubstr("] step 8/8, "));
  EXPECT_THAT(lines[0], HasSubstr(" views/s on average, loss 3.7000, took "));
  EXPECT_EQ(lines[1], "");
}

TEST(Progress, SpeedAndTimeLeftAreRight) {
  const std::string bytes =
      stderr_of(Stderr::kTerminal, [] { train(10, milliseconds(10), milliseconds(200)); });
  std::smatch match;  // 64 views in 0.2 s: 320 a second; after 5 of 10 steps one second is left
  ASSERT_TRUE(std::regex_search(
      bytes, match, std::regex("step 5/10 \\(50.0 %\\), ([0-9.]+) views/s, loss 4.0000, ([0-9]+)s left")))
      << bytes;
  EXPECT_NEAR(std::stod(match[1]), 320, 90);
  EXPECT_NEAR(std::stod(match[2]), 1, 1);
}

TEST(Progress, LogLinesDoNotGarbleTheBar) {
  const std::string bytes = stderr_of(Stderr::kTerminal, [] {
    train(4, milliseconds(10), milliseconds(120), [](int step) {
      if (step == 2) log(Level::kInfo, "committed step-00000002");
    });
  });
  EXPECT_THAT(bytes, HasSubstr("committed step-00000002\r\n[")) << "the bar is drawn again below";
  const auto lines = screen(bytes);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_TRUE(std::regex_match(lines[0], std::regex("\\[[0-9TZ:-]+\\] committed step-00000002")))
      << lines[0];
  EXPECT_THAT(lines[1], HasSubstr("step 4/4"));
}

TEST(Progress, ANarrowTerminalGetsACutBar) {
  const std::string bytes = stderr_of(
      Stderr::kTerminal, [] { Progress p(0, 100); }, 30);
  EXPECT_THAT(bytes, HasSubstr("[------------------------] st\r")) << "29 columns, or the line would wrap";
}

TEST(Progress, APipeGetsPlainLinesAndNoCarriageReturn) {
  const std::string bytes = stderr_of(Stderr::kPipe, [] { train(8, milliseconds(200), milliseconds(50)); });
  EXPECT_THAT(bytes, Not(HasSubstr("\r")));
  EXPECT_THAT(bytes, Not(HasSubstr("\x1b")));
  const auto lines = screen(bytes);
  ASSERT_GE(lines.size(), 3U)
      << bytes;  // one or two at 0.2 s (more on a busy machine), one at the end, an empty one
  ASSERT_LE(lines.size(), 6U) << bytes;
  EXPECT_TRUE(std::regex_match(
      lines[0], std::regex("\\[[0-9TZ:-]+\\] step [1-5]/8 \\([0-9.]+ %\\), [0-9.]+ views/s, "
                           "loss 4.[0-4]000, [0-9]+s left")))
      << lines[0];
  EXPECT_THAT(lines[lines.size() - 2], HasSubstr("step 8/8"));
}

TEST(Progress, WithinOneIntervalAPipeGetsTheLastLineOnly) {
  const std::string bytes =
      stderr_of(Stderr::kPipe, [] { train(50, std::chrono::hours(1), milliseconds(1)); });
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), '\n'), 1) << bytes;
  EXPECT_THAT(bytes, HasSubstr("step 50/50"));
}

TEST(Progress, AStatusLineNeverReachesAPipe) {
  EXPECT_EQ(stderr_of(Stderr::kPipe, [] { set_status_line("[###---]"); }), "");
  EXPECT_THAT(stderr_of(Stderr::kTerminal, [] { set_status_line("[###---]"); }),
              HasSubstr("\r\x1b[K[###---]"));
}

TEST(Progress, ADumbTerminalGetsPlainLines) {
  const std::string bytes = stderr_of(Stderr::kTerminal, [] {
    ::setenv("TERM", "dumb", 1);
    train(2, milliseconds(1), milliseconds(5));
  });
  EXPECT_THAT(bytes, HasSubstr("step 1/2"));
  EXPECT_THAT(bytes, Not(HasSubstr("\x1b")));
}

TEST(Log, ErrorsAreRedOnATerminalOnly) {
  const auto shout = [] { log(Level::kError, "no"); };
  EXPECT_THAT(stderr_of(Stderr::kTerminal, shout), HasSubstr("\x1b[31merror:\x1b[0m no"));
  EXPECT_THAT(stderr_of(Stderr::kPipe, shout), HasSubstr("] error: no\n"));
  const auto quietly = [] {
    ::setenv("NO_COLOR", "1", 1);
    log(Level::kWarning, "hm");
    train(2, milliseconds(1), milliseconds(5));
  };
  const std::string bytes = stderr_of(Stderr::kTerminal, quietly);
  EXPECT_THAT(bytes, HasSubstr("] warning: hm\r\n"));
  EXPECT_THAT(bytes, Not(HasSubstr("\x1b[3"))) << "no colour; the bar itself may stay";
}

TEST(Log, OtherRanksOnlyWarnAndSayWhoTheyAre) {
  const std::string bytes = stderr_of(Stderr::kPipe, [] {
    set_log_context({3, 8, "pretrain"});
    set_log_step(12);
    log(Level::kInfo, "not shown");
    log(Level::kError, "shown");
  });
  EXPECT_THAT(bytes, Not(HasSubstr("not shown")));
  EXPECT_THAT(bytes, HasSubstr(" r3/8 pretrain step=12] error: shown\n"));
}

}  // namespace
}  // namespace entrain
