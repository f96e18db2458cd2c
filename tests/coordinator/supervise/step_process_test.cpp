// The launcher as a process of ours.
#include "coordinator/supervise/step_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::tests {
namespace {

TEST(StepProcess, InheritsNoOpenFileOfOurs) {
  const int ours = ::open("/dev/null", O_RDONLY);  // like Asio's sockets: without O_CLOEXEC
  ASSERT_GT(ours, STDERR_FILENO);
  ASSERT_EQ(::fcntl(ours, F_GETFD) & FD_CLOEXEC, 0);
  boost::asio::io_context io;
  int status = -2;
  supervise::StepProcess step(io, [&](int code) { status = code; });
  step.start({"sleep", "60"}, {});
  const auto open_in_child = [&](int fd) {
    return std::filesystem::exists(cat("/proc/", step.pid(), "/fd/", fd));
  };
  EXPECT_TRUE(open_in_child(STDERR_FILENO));
  EXPECT_FALSE(open_in_child(ours));
  step.end({});
  io.run();
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  ::close(ours);
}

TEST(StepProcess, AProgramThatIsNotThereIsToldWithTheWayOut) {
  boost::asio::io_context io;
  supervise::StepProcess step(io, [](int) {});
  try {
    step.start({"no-such-launcher"}, {});
    FAIL() << "it started";
  } catch (const LaunchError& e) {
    EXPECT_NE(std::string(e.what()).find("no-such-launcher: cannot be started: No such file"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace entrain::tests
