// The real client against the real server, over sockets and threads.
#include "coordinator/control/client.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <chrono>
#include <memory>

#include "tests/coordinator/control/server_thread.hpp"
#include "tests/coordinator/control/shared_board.hpp"
#include "tests/coordinator/control/supervised_folder.hpp"

namespace entrain::tests {
namespace {

using control::ControlClient;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Two ranks, 4 and 0, of which the second commits.
class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    shared_.board().rank(0).join(4);
    shared_.board().rank(1).join(0);
  }
  control::RankProgress& rank(int i) { return shared_.board().rank(i); }

  SupervisedFolder folder_;
  SharedBoard shared_{2};
};

TEST_F(ClientTest, SaysWhoTheNodeIsAndThenHowItDoes) {
  ServerThread server;
  folder_.set_port(server.port());
  rank(1).committed(40);
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() >= 2; }));
  const auto hello = server.told().hellos.at(0);
  EXPECT_EQ(hello.host, "n1");
  EXPECT_EQ(hello.world, 8);
  EXPECT_EQ(hello.generation, 1U);
  EXPECT_EQ(hello.build_digest + hello.config_digest + hello.corpus_digest, "buildconfigcorpus");
  ASSERT_EQ(hello.ranks.size(), 2U);
  EXPECT_EQ(hello.ranks[0].rank, 4);
  EXPECT_EQ(hello.ranks[0].pid, ::getpid());
  EXPECT_EQ(server.told().beats[0].host, "n1");
  EXPECT_EQ(server.told().beats[0].committed, 40);
  EXPECT_EQ(server.told().beats[0].ranks.size(), 2U);
  rank(0).finished_step(7, 0.5);
  EXPECT_TRUE(eventually([&] { return server.told().beats.back().ranks.at(0).step == 7; }));
  rank(1).committed(41);
  EXPECT_TRUE(eventually([&] { return server.told().commits == std::vector<std::int64_t>{40, 41}; }));
}

TEST_F(ClientTest, CarriesOrdersToEveryRankOfTheNode) {
  ServerThread server;
  folder_.set_port(server.port());
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));
  EXPECT_FALSE(rank(0).stop_asked() || rank(0).take_want_stack());
  server.with([](control::ControlServer& s) {
    s.stacks();
    s.stop("drain");
  });
  EXPECT_TRUE(eventually([&] { return rank(0).stop_asked() && rank(1).stop_asked(); }));
  EXPECT_EQ(rank(1).stop_reason(), "drain");
  EXPECT_TRUE(rank(0).take_want_stack() && rank(1).take_want_stack());
  EXPECT_FALSE(rank(0).fenced());
}

TEST_F(ClientTest, AStackIsSentOnce) {
  ServerThread server;
  folder_.set_port(server.port());
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));
  rank(1).set_stack("somewhere\n");
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() >= 4; }));
  int stacks = 0;
  for (const auto& beat : server.told().beats) stacks += beat.ranks.at(1).stack == "somewhere\n";
  EXPECT_EQ(stacks, 1);
}

TEST_F(ClientTest, ARestartedSupervisorOnAnotherPortIsFound) {
  auto first = std::make_unique<ServerThread>();
  folder_.set_port(first->port());
  rank(1).committed(40);
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return first->told().commits == std::vector<std::int64_t>{40}; }));
  // The second one listens before the first is gone, so that its port is another.
  ServerThread second;
  ASSERT_NE(second.port(), first->port());
  first.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_THAT(second.told().hellos, IsEmpty());
  folder_.set_port(second.port());
  ASSERT_TRUE(eventually([&] { return second.told().beats.size() >= 2; }));
  EXPECT_THAT(second.told().commits, Contains(40)) << "it may not know";
  EXPECT_FALSE(rank(0).stop_asked());
}

TEST_F(ClientTest, ANewTokenIsReadAtTheNextAttempt) {
  folder_.set_token(std::string(32, 'o'));
  ServerThread server;
  folder_.set_port(server.port());
  const ControlClient client(folder_.options(), shared_.board());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  EXPECT_THAT(server.told().hellos, IsEmpty());
  folder_.set_token(kToken);
  EXPECT_TRUE(eventually([&] { return server.told().hellos.size() == 1; }));
}

TEST_F(ClientTest, WithoutASupervisorItAsksForAStopInTime) {
  const ControlClient client(folder_.options(0.5), shared_.board());
  EXPECT_FALSE(rank(0).stop_asked());
  ASSERT_TRUE(eventually([&] { return rank(0).stop_asked() && rank(1).stop_asked(); }));
  EXPECT_EQ(rank(0).stop_reason(), "no supervisor for 0.5 s");
}

TEST_F(ClientTest, WithASupervisorItDoesNot) {
  auto server = std::make_unique<ServerThread>();
  folder_.set_port(server->port());
  const ControlClient client(folder_.options(2), shared_.board());
  ASSERT_TRUE(eventually([&] { return server->told().beats.size() >= 5; }));
  EXPECT_FALSE(rank(0).stop_asked());
  server.reset();
  EXPECT_TRUE(eventually([&] { return rank(0).stop_asked(); })) << "and this is no client that never does";
}

TEST_F(ClientTest, ALeaseForOthersIsAReasonToStop) {
  ServerThread server;
  server.answer = control::Lease{1, 7, {}};
  folder_.set_port(server.port());
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return rank(0).stop_asked(); }));
  EXPECT_THAT(rank(0).stop_reason(), HasSubstr("7 ranks, this is generation 1 of 8"));
}

TEST_F(ClientTest, ARefusedNodeStops) {
  ServerThread server;
  server.answer = control::Refuse{"another build"};
  folder_.set_port(server.port());
  const ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return rank(0).stop_asked(); }));
  EXPECT_EQ(rank(0).stop_reason(), "another build");
}

TEST_F(ClientTest, SaysByeOnce) {
  ServerThread server;
  folder_.set_port(server.port());
  ControlClient client(folder_.options(), shared_.board());
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));
  rank(1).committed(99);
  client.bye(75, "asked to");
  client.bye(0, "no, this");
  ASSERT_TRUE(eventually([&] { return server.told().gone.size() == 1; }));
  ASSERT_EQ(server.told().byes.size(), 1U);
  EXPECT_EQ(server.told().byes[0].rank, 4) << "the lowest local rank";
  EXPECT_EQ(server.told().byes[0].code, 75);
  EXPECT_EQ(server.told().byes[0].reason, "asked to");
  EXPECT_THAT(server.told().commits, Contains(99)) << "what came last is told before";
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(server.told().hellos.size(), 1U) << "it stays away";
}

// Deadlines are generous for a busy machine; without them these calls wait for ever.
TEST_F(ClientTest, NeitherByeNorTheEndWaitLong) {
  RawListener frozen;  // the kernel accepts, nobody speaks
  folder_.set_port(frozen.port());
  auto client = std::make_unique<ControlClient>(folder_.options(), shared_.board());
  const RawPeer taken(frozen.accept());
  EXPECT_LT(seconds_of([&] { client->bye(0, "done"); }), 5);
  EXPECT_LT(seconds_of([&] { client.reset(); }), 5);
}

// A FIFO without a writer is to open() what a file system without its server is.
TEST_F(ClientTest, AStuckFileSystemDoesNotHoldTheEnd) {
  ASSERT_EQ(::mkfifo(folder_.control_file().c_str(), 0600), 0);
  auto client = std::make_unique<ControlClient>(folder_.options(), shared_.board());
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // it is in there now
  EXPECT_LT(seconds_of([&] { client.reset(); }), 10);
  // Only now the file system answers; the thread that was left behind must not find anything to do.
  const int writer = ::open(folder_.control_file().c_str(), O_WRONLY | O_NONBLOCK);
  EXPECT_GE(writer, 0) << "nobody was stuck, so this test saw nothing";
  ::close(writer);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_FALSE(rank(0).stop_asked());
}

TEST(ClientFence, EndsTheProcessWith76ThoughItsMainThreadHangs) {
  const SupervisedFolder folder;
  const SharedBoard shared(2);
  Child rank([&] {
    control::use_board(shared.board(), 0, 0);
    const ControlClient client(folder.options(), shared.board());
    for (;;) ::pause();
  });
  ServerThread server;
  folder.set_port(server.port());
  ASSERT_TRUE(eventually([&] { return server.told().beats.size() == 1; }));
  EXPECT_EQ(rank.ended(), -1);
  EXPECT_FALSE(shared.board().rank(1).fenced());
  server.with([](control::ControlServer& s) { s.fence(1, "a rank is gone"); });
  EXPECT_TRUE(eventually([&] { return rank.ended() != -1; }));
  EXPECT_EQ(rank.ended(), 76);
  EXPECT_TRUE(shared.board().rank(0).fenced() && shared.board().rank(1).fenced());
}

TEST(ClientFence, AFrozenNodeIsSeenAndComesBack) {
  const SupervisedFolder folder;
  const SharedBoard shared(1);
  const Child rank([&] {
    control::use_board(shared.board(), 0, 0);
    const ControlClient client(folder.options(1.5), shared.board());
    for (;;) ::pause();
  });
  ServerThread server;
  folder.set_port(server.port());
  ASSERT_TRUE(eventually([&] { return server.num_beats > 0; }));
  rank.signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // what was on its way
  const auto before = server.num_beats.load();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  EXPECT_EQ(server.num_beats, before);
  EXPECT_THAT(server.told().gone, IsEmpty()) << "its connection is open, it is only silent";
  rank.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return server.num_beats >= before + 2; }));
  EXPECT_FALSE(shared.board().rank(0).stop_asked());
}

}  // namespace
}  // namespace entrain::tests
