#include "coordinator/control/server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include <memory>

#include "configs/error.hpp"
#include "coordinator/control/keys.hpp"
#include "tests/coordinator/control/server_thread.hpp"

extern char** environ;

namespace entrain::tests {
namespace {

using control::ControlServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

template <typename T>
std::optional<T> receive(RawPeer& peer, double timeout_s = 10) {
  const auto message = peer.receive(timeout_s);
  if (!message || !std::holds_alternative<T>(*message)) return std::nullopt;
  return std::get<T>(*message);
}

TEST(Server, ANodeThatProvesItselfGetsALeaseAndIsHeard) {
  ServerThread server;
  server.answer = control::Lease{1, 8, 600.0};
  {
    RawPeer node(server.port());
    ASSERT_FALSE(node.receive_challenge().empty());
    node.send_hello(hello_of("n1", 3));
    const auto lease = receive<control::Lease>(node);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->generation, 1U);
    EXPECT_EQ(lease->world, 8);
    EXPECT_EQ(lease->deadline_seconds, 600.0);
    node.send(control::NodeBeat{"n1", 5, {{}}});
    node.send(control::Committed{6});
    node.send(control::Bye{3, 75, "asked"});
    ASSERT_TRUE(eventually([&] { return !server.told().byes.empty(); }));
    EXPECT_THAT(server.told().gone, IsEmpty());
  }
  ASSERT_TRUE(eventually([&] { return !server.told().gone.empty(); }));
  const auto told = server.told();
  ASSERT_EQ(told.hellos.size(), 1U);
  EXPECT_EQ(told.hellos[0].host, "n1");
  EXPECT_EQ(told.hellos[0].ranks.at(0).rank, 3);
  EXPECT_EQ(told.beats.at(0).committed, 5);
  EXPECT_THAT(told.commits, ElementsAre(6));
  EXPECT_EQ(told.byes.at(0).code, 75);
  EXPECT_EQ(told.gone.size(), 1U);
  EXPECT_EQ(server.refused(), 0U);
}

TEST(Server, ATokenThatIsReplacedHoldsForThoseWhoComeThen) {
  ServerThread server;
  const std::string next(32, 'n');
  RawPeer before(server.port());
  ASSERT_TRUE(before.join(hello_of("n1", 0)));
  server.with([&](ControlServer& s) { s.use_token(next); });
  before.send(control::Committed{6});
  EXPECT_TRUE(eventually([&] { return server.told().commits.size() == 1; })) << "it has its lease";
  RawPeer after(server.port());
  ASSERT_FALSE(after.receive_challenge(next).empty());
  after.send_hello(hello_of("n2", 1), next);
  EXPECT_TRUE(receive<control::Lease>(after));
  RawPeer late(server.port());
  EXPECT_TRUE(late.receive_challenge().empty()) << "the old one is worth nothing any more";
  server.with([](ControlServer& s) { EXPECT_THROW(s.use_token(""), LaunchError); });
}

TEST(Server, OrdersGoToAllOrToOne) {
  ServerThread server;
  RawPeer a(server.port()), b(server.port());
  ASSERT_TRUE(a.join(hello_of("a", 0)));
  ASSERT_TRUE(b.join(hello_of("b", 1)));
  const auto id_of_b = server.told().ids.at(1);
  server.with([&](ControlServer& s) {
    s.stop("to all");
    s.stacks(id_of_b);
    s.stop("to b", id_of_b);
  });
  EXPECT_EQ(receive<control::Stop>(a).value_or(control::Stop{}).reason, "to all");
  EXPECT_EQ(receive<control::Stop>(b).value_or(control::Stop{}).reason, "to all");
  EXPECT_TRUE(receive<control::Stacks>(b));
  EXPECT_EQ(receive<control::Stop>(b).value_or(control::Stop{}).reason, "to b");
  server.with([&](ControlServer& s) {
    EXPECT_EQ(s.nodes(), 2U);
    s.stop("second");
  });
  EXPECT_EQ(receive<control::Stop>(a).value_or(control::Stop{}).reason, "second") << "nothing else came to a";
}

TEST(Server, RenewsALeaseAsASignOfLife) {
  ServerThread server;
  server.answer = control::Lease{1, 8, 600.0};
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  const auto renewed = receive<control::Lease>(node, 60);
  ASSERT_TRUE(renewed);
  EXPECT_LT(renewed->deadline_seconds.value_or(600), 600 - 4) << "the deadline has come nearer";
  EXPECT_GT(renewed->deadline_seconds.value_or(0), 500);
}

TEST(Server, ARefusedNodeHearsWhy) {
  ServerThread server;
  server.answer = control::Refuse{"another build"};
  RawPeer node(server.port());
  ASSERT_FALSE(node.receive_challenge().empty());
  node.send_hello(hello_of("n1"));
  EXPECT_EQ(receive<control::Stop>(node).value_or(control::Stop{}).reason, "another build");
  EXPECT_TRUE(node.closed_within());
  EXPECT_THAT(server.told().gone, IsEmpty()) << "it was never here";
  EXPECT_EQ(server.refused(), 1U);
}

TEST(Server, AWrongTokenIsRefusedAndHearsNothing) {
  ServerThread server;
  const std::string wrong(32, 'w');
  RawPeer node(server.port());
  EXPECT_TRUE(node.receive_challenge(wrong).empty())
      << "nor does a client believe a server with another token";
  EXPECT_THAT(node.refusal(), HasSubstr("HMAC"));
  RawPeer again(server.port());
  ASSERT_FALSE(again.receive_challenge().empty());
  again.send_hello(hello_of("n1"), wrong);
  EXPECT_FALSE(again.receive());
  EXPECT_TRUE(again.closed_within());
  EXPECT_THAT(server.told().hellos, IsEmpty());
  ASSERT_TRUE(eventually([&] { return server.refused() == 1; }));
}

TEST(Server, ARecordedConnectionIsWorthNothingOnAnother) {
  ServerThread server;
  RawPeer first(server.port());
  ASSERT_FALSE(first.receive_challenge().empty());
  const auto hello = hello_of("n1");
  // What join() does, with the bytes kept.
  first.send_hello(hello);
  ASSERT_TRUE(receive<control::Lease>(first));
  const std::string recorded_beat = first.frame_of(control::NodeBeat{"n1", 1, {}});
  first.send_bytes(recorded_beat);
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));

  // The same frames, of the same token, run and numbers, made for another nonce.
  RawPeer second(server.port());
  ASSERT_FALSE(second.receive_challenge().empty());
  second.send_bytes([&] {
    control::FrameWriter writer(kRunId, control::client_key(kToken, std::string(32, 'o')));
    return writer.write(control::Type::kHello, 1, control::payload_of(control::Message(hello)));
  }());
  EXPECT_TRUE(second.closed_within());
  RawPeer third(server.port());
  ASSERT_TRUE(third.join(hello_of("n3")));
  third.send_bytes(recorded_beat);
  EXPECT_TRUE(third.closed_within());
  EXPECT_EQ(server.told().hellos.size(), 2U);
  EXPECT_EQ(server.told().beats.size(), 1U);
}

TEST(Server, ARepeatedFrameEndsTheConnection) {
  ServerThread server;
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  const std::string beat = node.frame_of(control::NodeBeat{"n1", 1, {}});
  node.send_bytes(beat);
  node.send_bytes(beat);
  EXPECT_TRUE(node.closed_within());
  EXPECT_EQ(server.told().beats.size(), 1U);
  ASSERT_TRUE(eventually([&] { return server.told().gone.size() == 1; }));
  EXPECT_THAT(server.told().gone[0], HasSubstr("frame number 1, expected 2"));
}

TEST(Server, AFrameOutOfTurnEndsTheConnection) {
  ServerThread server;
  RawPeer eager(server.port()), twice(server.port()), boss(server.port());
  ASSERT_FALSE(eager.receive_challenge().empty());
  eager.send_hello(hello_of("x"));  // sets the keys up; the connection below begins with a beat instead
  ASSERT_TRUE(receive<control::Lease>(eager));
  eager.send(hello_of("x"));
  EXPECT_TRUE(eager.closed_within()) << "a second HELLO";
  ASSERT_TRUE(boss.join(hello_of("boss")));
  boss.send(control::Stop{"I say so"});
  EXPECT_TRUE(boss.closed_within()) << "a node that gives orders";
  const std::string nonce = twice.receive_challenge();
  ASSERT_FALSE(nonce.empty());
  twice.writer.emplace(kRunId, control::client_key(kToken, nonce));
  twice.send(control::NodeBeat{"n1", 1, {}});
  EXPECT_TRUE(twice.closed_within()) << "a heartbeat before HELLO";
  EXPECT_THAT(server.told().beats, IsEmpty());
}

TEST(Server, HostileJsonFromAKnownNodeEndsItsConnectionOnly) {
  ServerThread server;
  RawPeer bad(server.port()), good(server.port());
  ASSERT_TRUE(bad.join(hello_of("bad", 0)));
  ASSERT_TRUE(good.join(hello_of("good", 1)));
  bad.send_bytes(bad.writer->write(control::Type::kBeat, 1, "[[[[[[[[[["));
  EXPECT_TRUE(bad.closed_within());
  good.send(control::NodeBeat{"good", 1, {}});
  EXPECT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));
}

TEST(Server, AStaleGenerationIsFencedAtHello) {
  ServerThread server(5);
  RawPeer stale(server.port()), early(server.port());
  ASSERT_FALSE(stale.receive_challenge().empty());
  stale.send_hello(hello_of("old", 0, 4));
  EXPECT_EQ(receive<control::Fence>(stale).value_or(control::Fence{}).generation, 4U);
  EXPECT_TRUE(stale.closed_within());
  ASSERT_FALSE(early.receive_challenge().empty());
  early.send_hello(hello_of("new", 0, 6));
  EXPECT_FALSE(early.receive()) << "a generation that nobody started";
  EXPECT_TRUE(early.closed_within());
  EXPECT_THAT(server.told().hellos, IsEmpty());
  RawPeer present(server.port());
  EXPECT_TRUE(present.join(hello_of("n", 0, 5)));
}

TEST(Server, ANewGenerationFencesTheOldOne) {
  ServerThread server;
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  server.with([](ControlServer& s) { s.begin_generation(2); });
  const auto fence = receive<control::Fence>(node);
  ASSERT_TRUE(fence);
  EXPECT_EQ(fence->generation, 1U);
  node.send(control::NodeBeat{"n1", 1, {}});
  EXPECT_TRUE(node.closed_within());
  EXPECT_THAT(server.told().beats, IsEmpty()) << "of a generation that is over";
}

TEST(Server, AFrameWithAStaleGenerationIsFenced) {
  ServerThread server(2);
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1", 0, 2)));
  node.generation = 1;
  node.send(control::Committed{9});
  EXPECT_EQ(receive<control::Fence>(node).value_or(control::Fence{}).generation, 1U);
  EXPECT_TRUE(node.closed_within());
  EXPECT_THAT(server.told().commits, IsEmpty());
}

TEST(Server, AFenceIsForItsGenerationAndThoseBefore) {
  ServerThread server(3);
  RawPeer node(server.port());
  ASSERT_TRUE(node.join(hello_of("n1", 0, 3)));
  server.with([](ControlServer& s) {
    s.fence(2, "not this one");
    s.stop("still here");
    s.fence(3, "this one");
  });
  EXPECT_EQ(receive<control::Stop>(node).value_or(control::Stop{}).reason, "still here");
  EXPECT_EQ(receive<control::Fence>(node).value_or(control::Fence{}).reason, "this one");
}

TEST(Server, AFrameOfAnotherRunIsRefused) {
  ServerThread server;
  RawPeer node(server.port());
  const std::string nonce = node.receive_challenge();
  ASSERT_FALSE(nonce.empty());
  control::FrameWriter writer(kRunId + 1, control::client_key(kToken, nonce));
  node.send_bytes(
      writer.write(control::Type::kHello, 1, control::payload_of(control::Message(hello_of("n1")))));
  EXPECT_TRUE(node.closed_within());
  EXPECT_THAT(server.told().hellos, IsEmpty());
}

TEST(Server, ANodeThatConnectsAnewReplacesItself) {
  ServerThread server;
  RawPeer first(server.port());
  ASSERT_TRUE(first.join(hello_of("n1", 2)));
  RawPeer other(server.port()), second(server.port());
  ASSERT_TRUE(other.join(hello_of("n1", 3))) << "another process on the same host";
  EXPECT_THAT(server.told().gone, IsEmpty());
  ASSERT_TRUE(second.join(hello_of("n1", 2)));
  EXPECT_TRUE(first.closed_within());
  EXPECT_THAT(server.told().gone, ElementsAre("it has connected anew"));
  server.with([](ControlServer& s) { EXPECT_EQ(s.nodes(), 2U); });
}

TEST(Server, DoesNotListenWithoutATokenNorOnWhatIsNoAddress) {
  boost::asio::io_context io;
  control::ServerHandler handler;
  const auto listen = [&](const std::string& address, const std::string& token) {
    const ControlServer server(io, address, 0, token, kRunId, 1, handler);
  };
  EXPECT_THAT([&] { listen("0.0.0.0", ""); }, ThrowsMessage<LaunchError>(HasSubstr("without a token")));
  EXPECT_THAT([&] { listen("127.0.0.1", "short"); },
              ThrowsMessage<LaunchError>(HasSubstr("without a token")));
  EXPECT_THAT([&] { listen("203.0.113.1", kToken); },
              ThrowsMessage<LaunchError>(HasSubstr("cannot listen on")));
  EXPECT_THAT([&] { listen("localhost", kToken); }, ThrowsMessage<LaunchError>(HasSubstr("numeric")));
  EXPECT_NO_THROW(listen("127.0.0.1", kToken));
}

// mpirun, started by a supervisor that is then killed, would hold every connection open: no rank would notice.
TEST(Server, ItsSocketsEndWithItThoughItStartedAnotherProcess) {
  auto server = std::make_unique<ServerThread>();
  RawPeer node(server->port());
  ASSERT_TRUE(node.join(hello_of("n1")));
  const std::uint16_t port = server->port();
  pid_t pid = 0;
  std::string name = "sleep", time = "60";
  char* arguments[] = {name.data(), time.data(), nullptr};
  ASSERT_EQ(::posix_spawnp(&pid, "sleep", nullptr, nullptr, arguments, environ), 0);
  server.reset();
  EXPECT_TRUE(node.closed_within());
  EXPECT_TRUE(eventually([&] {  // the kernel closes such descriptors a moment after posix_spawn has returned
    try {
      const RawPeer peer(port);
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0) << "the other process was there all the time";
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace entrain::tests
