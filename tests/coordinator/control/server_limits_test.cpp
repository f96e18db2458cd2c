// Peers that are slow, silent or too many.
#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "coordinator/control/awake_clock.hpp"
#include "coordinator/control/refusal_log.hpp"
#include "tests/coordinator/control/server_thread.hpp"

namespace entrain::tests {
namespace {

using control::ServerLimits;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ServerLimits quick() {
  ServerLimits limits;
  limits.handshake_seconds = 0.5;
  limits.connection.frame_seconds = 0.5;
  limits.connection.finish_seconds = 0.5;
  return limits;
}

// One byte every 50 ms, until the other side has had enough.
bool closed_while_trickling(RawPeer& peer, const std::string& bytes) {
  for (const char byte : bytes) {
    peer.send_bytes(std::string(1, byte));
    if (peer.closed_within(0.05)) return true;
  }
  return false;
}

TEST(ServerLimits, AreAsPromised) {
  const ServerLimits limits;
  EXPECT_EQ(limits.handshake_seconds, 5);
  EXPECT_EQ(limits.connection.frame_seconds, 5);
  EXPECT_EQ(limits.unauthenticated, 64U);
}

TEST(ServerLimits, AConnectionThatSaysNothingIsClosed) {
  ServerThread server(1, quick());
  RawPeer silent(server.port()), node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  EXPECT_TRUE(silent.closed_within());
  EXPECT_FALSE(node.closed_within(1)) << "a node that is known may be silent for longer";
  EXPECT_EQ(server.refused(), 1U);
}

TEST(ServerLimits, ASlowLorisBeforeHelloIsClosed) {
  ServerThread server(1, quick());
  RawPeer slow(server.port());
  ASSERT_FALSE(slow.receive_challenge().empty());
  control::FrameWriter writer(kRunId, std::string(32, 'x'));
  EXPECT_TRUE(closed_while_trickling(slow, writer.write(control::Type::kHello, 1, std::string(2000, 'h'))));
}

TEST(ServerLimits, ASlowLorisAfterHelloIsClosed) {
  ServerThread server(1, quick());
  RawPeer slow(server.port()), brisk(server.port());
  ASSERT_TRUE(slow.join(hello_of("slow", 0)));
  ASSERT_TRUE(brisk.join(hello_of("brisk", 1)));
  EXPECT_TRUE(closed_while_trickling(slow, slow.frame_of(control::NodeBeat{std::string(2000, 'n'), 1, {}})));
  ASSERT_TRUE(eventually([&] { return !server.told().gone.empty(); }));
  EXPECT_THAT(server.told().gone, ElementsAre(HasSubstr("began a frame")));
  // Whole frames, whose ends and beginnings share packets: for longer than one frame may take.
  std::string beats;
  for (int i = 0; i < 20; ++i) beats += brisk.frame_of(control::NodeBeat{"brisk", i, {}});
  for (std::size_t at = 0; at < beats.size(); at += 100) {
    brisk.send_bytes(beats.substr(at, 100));
    ASSERT_FALSE(brisk.closed_within(0.05));
  }
  EXPECT_TRUE(eventually([&] { return server.told().beats.size() == 20; }));
}

TEST(ServerLimits, TheSixtyFifthUnknownConnectionIsClosedAtOnce) {
  ServerLimits limits;
  limits.handshake_seconds = 60;  // so that none leaves by itself
  ServerThread server(1, limits);
  std::vector<std::unique_ptr<RawPeer>> unknown;
  for (int i = 0; i < 64; ++i) {
    unknown.push_back(std::make_unique<RawPeer>(server.port()));
    ASSERT_FALSE(unknown.back()->receive_challenge().empty()) << i;
  }
  RawPeer one_more(server.port());
  EXPECT_TRUE(one_more.receive_challenge().empty());
  EXPECT_TRUE(one_more.closed_within());
  EXPECT_EQ(server.refused(), 1U);

  unknown[0]->send_hello(hello_of("n0"));  // now it is known
  ASSERT_TRUE(eventually([&] { return server.told().hellos.size() == 1; }));
  RawPeer next(server.port());
  EXPECT_FALSE(next.receive_challenge().empty());
  RawPeer too_many(server.port());
  EXPECT_TRUE(too_many.closed_within());

  unknown.pop_back();  // or it has left
  EXPECT_TRUE(eventually([&] { return !RawPeer(server.port()).receive_challenge().empty(); }));
}

TEST(ServerLimits, ANodeThatDoesNotReadIsClosed) {
  ServerLimits limits;
  limits.connection.queued_bytes = 100000;
  ServerThread server(1, limits);
  RawPeer deaf(server.port());
  ASSERT_TRUE(deaf.join(hello_of("deaf")));
  for (int i = 0; i < 100 && server.told().gone.empty(); ++i)
    server.with([](control::ControlServer& s) {
      for (int k = 0; k < 80; ++k)
        s.stop(std::string(1000, 's'));  // below the limit as long as some is taken
    });
  ASSERT_TRUE(eventually([&] { return !server.told().gone.empty(); }));
  EXPECT_THAT(server.told().gone, ElementsAre(HasSubstr("does not read")));
}

TEST(ServerLimits, ANodeThatFallsSilentIsGoneInTheEnd) {
  ServerLimits limits;
  limits.connection.silence_seconds = 1;
  ServerThread server(1, limits);
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  for (int i = 0; i < 8; ++i) {  // twice as long as it may be silent
    node.send(control::NodeBeat{"n1", i, {}});
    ASSERT_FALSE(node.closed_within(0.25)) << i;
  }
  EXPECT_TRUE(node.closed_within());
  ASSERT_TRUE(eventually([&] { return !server.told().gone.empty(); }));  // told a moment after the close
  EXPECT_THAT(server.told().gone, ElementsAre(HasSubstr("silent")));
}

TEST(ServerLimits, ANodeThatDoesNotCloseAfterAFenceIsClosed) {
  ServerThread server(1, quick());
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  server.with([](control::ControlServer& s) { s.fence(1, "over"); });
  EXPECT_TRUE(eventually([&] { return server.told().gone.size() == 1; }))
      << "though the peer's socket is still open";
  EXPECT_THAT(server.told().gone, ElementsAre(HasSubstr("does not close")));
}

TEST(AwakeClock, CountsASleepAsOneSecond) {
  control::AwakeClock clock;
  std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  EXPECT_EQ(clock.passed(), 1.0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const double passed = clock.passed();
  EXPECT_GE(passed, 0.049);
  EXPECT_LE(passed, 1.0);
}

TEST(RefusalLog, TellsOneLineASecondAndHowManyItKeptBack) {
  control::RefusalLog log;
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) log.note("somebody");
  EXPECT_EQ(log.lines(), 1U);
  log.pass_time(0.5);
  EXPECT_EQ(log.lines(), 1U);
  log.pass_time(0.6);
  EXPECT_EQ(log.lines(), 2U);
  log.pass_time(5);
  EXPECT_EQ(log.lines(), 2U) << "nothing was kept back since";
  log.note("another");
  EXPECT_EQ(log.lines(), 3U);
  EXPECT_EQ(log.refused(), 1001U);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("refused: somebody"));
  EXPECT_THAT(text, HasSubstr("refused: 999 more"));
  EXPECT_THAT(text, HasSubstr("refused: another"));
}

}  // namespace
}  // namespace entrain::tests
