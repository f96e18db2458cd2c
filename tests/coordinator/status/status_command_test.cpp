// `entrain status RUN`, the program: from the server, from files, on a terminal, and its exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "coordinator/status/fetch.hpp"
#include "coordinator/status/status_file.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/coordinator/status/served.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using tests::run;
using tests::Served;
using tests::write_file;

class StatusCommand : public ::testing::Test {
 protected:
  std::string dir() const { return folder_.path(); }
  void serve_at(std::uint16_t port, const nlohmann::json& more = nlohmann::json::object()) {
    nlohmann::json control{{"http", cat("127.0.0.1:", port)}};
    control.update(more);
    write_file(folder_ / "control.json", control.dump());
    write_file(folder_ / ".token", "secret/+ 1\n");
  }
  void file_says(RunStatus status) {
    status.supervisor_host = "another-host";
    status.now = utc_now();
    write_status_files(dir(), status);
  }
  tests::TemporaryFolder folder_;
};

TEST_F(StatusCommand, AsksTheServer) {
  Served served;
  served.publish(tests::training(64));
  serve_at(served.port());
  const auto ran = run("entrain status " + dir());
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_THAT(ran.output, AllOf(StartsWith("runs/a  pretrain"), HasSubstr("ranks 0-63: step 1200, alive"),
                                HasSubstr(cat("from http://127.0.0.1:", served.port(), "\n"))));
  EXPECT_EQ(ran.output.find('\x1b'), std::string::npos);
  const auto json = run("entrain status --json " + dir());
  EXPECT_EQ(json.code, 0);
  EXPECT_EQ(nlohmann::json::parse(json.output)["ranks"].size(), 64U);
}

TEST_F(StatusCommand, ReadsTheFilesWhereNobodyAnswers) {
  RunStatus s = tests::training(4);
  s.step = 777;
  file_says(s);
  std::uint16_t port = 0;
  { port = Served().port(); }  // was free a moment ago, is again
  serve_at(port);
  auto ran = run("entrain status " + dir());
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("step 777 of"), HasSubstr("from the files of the run (http://127.0.0.1")));

  Served served;  // of another run, which does not know this token
  served.publish(tests::training(1));
  serve_at(served.port());
  write_file(folder_ / ".token", "another");
  ran = run("entrain status " + dir());
  EXPECT_THAT(ran.output, AllOf(HasSubstr("step 777 of"), HasSubstr("it answers 401")));
}

TEST_F(StatusCommand, TheTokenGoesOnlyToWhoCanBeTheServer) {
  Served served;
  served.publish(tests::training(1));
  serve_at(served.port(), {{"host", host_name()}, {"pid", ::getpid()}});
  EXPECT_TRUE(fetch_status(dir()).status);
  serve_at(served.port(), {{"host", host_name()}, {"pid", 999999999}});
  EXPECT_THAT(fetch_status(dir()).why_not, HasSubstr("its process 999999999 is gone"));
  serve_at(served.port(), {{"host", "another-host"}, {"pid", ::getpid()}});
  EXPECT_THAT(fetch_status(dir()).why_not, HasSubstr("it listens on another-host only"));
}

TEST_F(StatusCommand, AServerThatHangsCostsTwoSeconds) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  serve_at(ntohs(address.sin_port));
  const auto begin = std::chrono::steady_clock::now();
  const Fetched fetched = fetch_status(dir());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_FALSE(fetched.status);
  EXPECT_EQ(fetched.why_not, "no answer in time");
  EXPECT_GT(took.count(), 1.5);
  EXPECT_LT(took.count(), 20);
  ::close(listener);
}

TEST_F(StatusCommand, ItsExitCodeSaysHowTheRunIs) {
  RunStatus s = tests::training(2);
  const auto code = [&](const std::string& state, int exit_code) {
    s.state = state;
    s.exit_code = exit_code;
    file_says(s);
    const int plain = run("entrain status " + dir()).code;
    EXPECT_EQ(run("entrain status --json " + dir()).code, plain);
    return plain;
  };
  for (const char* state : {"starting", "training", "stopping", "recovering"})
    EXPECT_EQ(code(state, -1), 0) << state;
  EXPECT_EQ(code("ended", 0), 0);
  EXPECT_EQ(code("ended", 93), 93);
  EXPECT_EQ(code("ended", 75), 75);
  EXPECT_EQ(code("unknown", -1), 76);
  EXPECT_EQ(run("entrain status " + dir() + "/none").code, 65);
  EXPECT_THAT(run("entrain status " + dir() + "/none").output, HasSubstr("no such folder"));
  const tests::TemporaryFolder empty;
  EXPECT_EQ(run("entrain status " + empty.path()).code, 65);
  EXPECT_EQ(run("entrain status").code, 64);
  EXPECT_EQ(run("entrain status --once --watch " + dir()).code, 64);
}

/// `entrain status` on a terminal of its own.
class OnATerminal {
 public:
  OnATerminal(const std::string& arguments, const char* no_color = "") {
    winsize size{};
    size.ws_row = 30;
    size.ws_col = 80;
    pid_ = ::forkpty(&fd_, nullptr, nullptr, &size);
    if (pid_ != 0) return;
    ::setenv("TERM", "xterm", 1);
    ::setenv("NO_COLOR", no_color, 1);
    const std::string command = cat("exec " ENTRAIN_BIN_DIR "/entrain status ", arguments);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ~OnATerminal() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    ::close(fd_);
  }
  OnATerminal(const OnATerminal&) = delete;
  OnATerminal& operator=(const OnATerminal&) = delete;

  bool read_until(const std::string& text, double seconds = 30) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (got.find(text) == got.npos && std::chrono::steady_clock::now() < end) read_some();
    return got.find(text) != got.npos;
  }
  void type(const std::string& keys) const {
    ASSERT_EQ(::write(fd_, keys.data(), keys.size()), std::ssize(keys));
  }
  /// The exit code; -1: it goes on.
  int wait(double seconds = 30) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > end) return -1;
      read_some();
    }
    read_some();
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string got;

 private:
  void read_some() {
    pollfd ready{fd_, POLLIN, 0};
    char bytes[4096];
    while (::poll(&ready, 1, 50) == 1 && (ready.revents & POLLIN) != 0) {
      const auto n = ::read(fd_, bytes, sizeof bytes);
      if (n <= 0) return;
      got.append(bytes, static_cast<std::size_t>(n));
    }
  }
  int fd_ = -1;
  pid_t pid_ = -1;
};

TEST_F(StatusCommand, OnATerminalItIsRedrawnInPlaceUntilTheRunEnds) {
  Served served;
  RunStatus s = tests::training(4);
  served.publish(s);
  serve_at(served.port());
  OnATerminal terminal(dir());
  ASSERT_TRUE(terminal.read_until("step 1200 of")) << terminal.got;
  EXPECT_THAT(terminal.got, HasSubstr("\x1b[?25l")) << "the cursor is hidden";
  EXPECT_THAT(terminal.got, HasSubstr("\x1b[32m  training"));
  s.step = 1210;
  served.publish(s);
  ASSERT_TRUE(terminal.read_until("step 1210 of")) << terminal.got;
  EXPECT_THAT(terminal.got, HasSubstr("A\r\x1b[J")) << "up, and cleared";
  EXPECT_EQ(terminal.got.find("\x1b[?25h"), std::string::npos);
  s.state = "ended";
  s.exit_code = 73;
  served.publish(s);
  EXPECT_EQ(terminal.wait(), 73);
  EXPECT_THAT(terminal.got, HasSubstr("exit code 73"));
  EXPECT_THAT(terminal.got, HasSubstr("\x1b[?25h")) << "the cursor is back";
}

TEST_F(StatusCommand, CtrlCLeavesTheTerminalAsItWas) {
  file_says(tests::training(4));
  OnATerminal terminal(dir(), "1");
  ASSERT_TRUE(terminal.read_until("as of ")) << terminal.got;
  EXPECT_EQ(terminal.got.find("\x1b[32m"), std::string::npos) << "NO_COLOR";
  terminal.type("\x03");
  EXPECT_EQ(terminal.wait(), 130);
  EXPECT_THAT(terminal.got, HasSubstr("\x1b[?25h"));
}

TEST_F(StatusCommand, OnceIsOnceAlsoOnATerminal) {
  file_says(tests::training(4));
  OnATerminal terminal("--once " + dir());
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_THAT(terminal.got, HasSubstr("step 1200 of"));
  EXPECT_EQ(terminal.got.find("\x1b[?25l"), std::string::npos);
}

TEST_F(StatusCommand, WatchingIntoAFileWritesNoEscapes) {
  Served served;
  RunStatus s = tests::training(4);
  served.publish(s);
  serve_at(served.port());
  tests::Command watch("entrain status --watch " + dir() + " > " + folder_ / "out");
  for (int i = 0; i < 600; ++i) {
    const std::string text = run("cat " + folder_ / "out").output;
    if (text.find("as of") != text.npos && text.find("as of") != text.rfind("as of")) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  s.state = "ended";
  s.exit_code = 0;
  served.publish(s);
  EXPECT_EQ(watch.wait().code, 0);
  const std::string text = tests::read_file(folder_ / "out");
  EXPECT_EQ(text.find('\x1b'), text.npos);
  EXPECT_EQ(text.find('\r'), text.npos);
  EXPECT_NE(text.find("as of"), text.rfind("as of"));
}

}  // namespace
}  // namespace entrain::status
