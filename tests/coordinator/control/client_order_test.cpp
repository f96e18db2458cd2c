// The real client against a supervisor made by hand, which does what the real one never would.
#include <gmock/gmock.h>

#include <chrono>

#include "coordinator/control/client.hpp"
#include "coordinator/control/keys.hpp"
#include "tests/coordinator/control/server_thread.hpp"
#include "tests/coordinator/control/shared_board.hpp"
#include "tests/coordinator/control/supervised_folder.hpp"

namespace entrain::tests {
namespace {

using control::ControlClient;

class FalseSupervisorTest : public ::testing::Test {
 protected:
  FalseSupervisorTest() {
    shared_.board().rank(0).join(0);
    folder_.set_port(listener_.port());
  }
  control::RankProgress& rank() { return shared_.board().rank(0); }

  SupervisedFolder folder_;
  SharedBoard shared_{1};
  RawListener listener_;
};

TEST_F(FalseSupervisorTest, ARecordedSupervisorIsNotObeyed) {
  const ControlClient client(folder_.options(), shared_.board());
  std::string recorded;
  {
    RawPeer first(listener_.accept());
    first.send_challenge();
    ASSERT_TRUE(first.receive_hello());
    const std::string lease = first.frame_of(control::Lease{1, 8, {}});
    recorded = lease + first.frame_of(control::Stop{"recorded"});
    first.send_bytes(lease);
    ASSERT_TRUE(first.receive()) << "a heartbeat: the lease was good";
    EXPECT_FALSE(rank().stop_asked());
  }
  {
    RawPeer second(listener_.accept());
    second.send_challenge();
    ASSERT_TRUE(second.receive_hello());
    second.send_bytes(recorded);
    EXPECT_TRUE(second.closed_within());
    EXPECT_FALSE(rank().stop_asked());
  }
  RawPeer third(listener_.accept());
  third.send_challenge();
  ASSERT_TRUE(third.receive_hello());
  third.send(control::Lease{1, 8, {}});
  third.send(control::Stop{"live"});
  ASSERT_TRUE(eventually([&] { return rank().stop_asked(); })) << "the same frames made for this connection";
  EXPECT_EQ(rank().stop_reason(), "live");
}

// The server's whole side of a connection, CHALLENGE included, sent to a client once more.
TEST_F(FalseSupervisorTest, ARecordedChallengeDoesNotHelp) {
  const ControlClient client(folder_.options(), shared_.board());
  std::string recorded;
  {
    RawPeer first(listener_.accept());
    // As send_challenge(), with the bytes kept.
    first.writer.emplace(kRunId, control::challenge_key(kToken));
    const std::string nonce(32, 'n');
    recorded = first.frame_of(control::Challenge{nonce});
    first.send_bytes(recorded);
    first.expect_client_of(nonce);
    ASSERT_TRUE(first.receive_hello());
    const std::string lease = first.frame_of(control::Lease{1, 8, {}});
    recorded += lease + first.frame_of(control::Stop{"recorded"});
    first.send_bytes(lease);
    ASSERT_TRUE(first.receive()) << "a heartbeat: the lease was good";
  }
  RawPeer second(listener_.accept());
  second.send_bytes(recorded);
  EXPECT_TRUE(second.closed_within());
  EXPECT_FALSE(rank().stop_asked());
}

TEST_F(FalseSupervisorTest, AFenceOfAnOlderGenerationIsNotForUs) {
  auto options = folder_.options();
  options.generation = 3;
  const ControlClient client(options, shared_.board());
  RawPeer supervisor(listener_.accept());
  supervisor.generation = 3;
  supervisor.send_challenge();
  ASSERT_TRUE(supervisor.receive_hello());
  supervisor.send(control::Lease{3, 8, {}});
  supervisor.send(control::Fence{2, "the one before"});
  supervisor.send(control::Stop{"after it"});
  ASSERT_TRUE(eventually([&] { return rank().stop_asked(); }));
  EXPECT_FALSE(rank().fenced());
}

TEST_F(FalseSupervisorTest, OrdersOfAnotherGenerationOrOutOfTurnAreRefused) {
  const ControlClient client(folder_.options(), shared_.board());
  {
    RawPeer other(listener_.accept());
    other.send_challenge();
    ASSERT_TRUE(other.receive_hello());
    other.generation = 2;
    other.send(control::Stop{"of generation 2"});
    EXPECT_TRUE(other.closed_within());
  }
  {
    RawPeer twice(listener_.accept());
    twice.send_challenge();
    ASSERT_TRUE(twice.receive_hello());
    twice.send(control::Challenge{std::string(32, 'c')});
    EXPECT_FALSE(twice.receive());
    EXPECT_EQ(twice.refusal(), "") << "it must not answer a second time, with another key";
  }
  {
    RawPeer node(listener_.accept());
    node.send_challenge();
    ASSERT_TRUE(node.receive_hello());
    node.send(control::Committed{5});
    EXPECT_TRUE(node.closed_within());
  }
  EXPECT_FALSE(rank().stop_asked());
}

// Its host is alive and acknowledges every byte, so TCP never complains.
TEST_F(FalseSupervisorTest, AFrozenSupervisorIsLeftForOneThatAnswers) {
  const ControlClient client(folder_.options(), shared_.board());
  RawPeer frozen(listener_.accept());
  frozen.send_challenge();
  ASSERT_TRUE(frozen.receive_hello());
  frozen.send(control::Lease{1, 8, {}});
  ServerThread live;
  folder_.set_port(live.port());
  EXPECT_TRUE(eventually([&] { return live.num_beats > 0; }, 60));
}

}  // namespace
}  // namespace entrain::tests
