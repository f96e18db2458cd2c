#include "coordinator/control/heartbeat.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "coordinator/control/node_beat.hpp"
#include "tests/coordinator/control/server_thread.hpp"
#include "tests/coordinator/control/shared_board.hpp"

// Exported by name, and never made part of its caller.
extern "C" [[gnu::noinline]] void entrain_test_waits_for_ever() {
  for (;;) ::pause();
}
extern "C" [[gnu::noinline]] void entrain_test_computes_for_ever() {
  static volatile std::uint64_t work = 0;
  for (;;) work = work + 1;
}

namespace entrain::tests {
namespace {

using control::Heartbeat;
using control::NodeBeats;
using ::testing::HasSubstr;
using ::testing::Not;

// A rank whose main thread sits in `body`.
Child rank_in(const SharedBoard& shared, void (*body)()) {
  return Child([&shared, body] {
    control::use_board(shared.board(), 0, 0);
    const Heartbeat heartbeat(control::progress());
    body();
  });
}

TEST(Heartbeat, GrowsWhileTheMainThreadWaitsAndFreezesWithAStoppedProcess) {
  const SharedBoard shared(1);
  NodeBeats node(shared.board(), "n1");
  const auto child = rank_in(shared, entrain_test_waits_for_ever);
  const auto beats = [&] { return shared.board().rank(0).snapshot().beats; };
  ASSERT_TRUE(eventually([&] { return beats() >= 2; }));
  EXPECT_GT(shared.board().rank(0).snapshot().memory_bytes, 100000U);
  EXPECT_FALSE(node.next().ranks.at(0).stopped);

  child.signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] { return node.next().ranks.at(0).stopped; }));
  const auto frozen = beats();
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_EQ(beats(), frozen);

  child.signal(SIGCONT);
  EXPECT_TRUE(eventually([&] { return beats() >= frozen + 2; }));
  EXPECT_FALSE(node.next().ranks.at(0).stopped);
}

TEST(Heartbeat, AStackNamesWhereTheMainThreadIs) {
  const SharedBoard waiting(1), computing(1);
  const auto a = rank_in(waiting, entrain_test_waits_for_ever);
  const auto b = rank_in(computing, entrain_test_computes_for_ever);
  NodeBeats nodes[] = {{waiting.board(), "a"}, {computing.board(), "b"}};
  std::string stacks[2];
  for (const auto* shared : {&waiting, &computing}) {
    ASSERT_TRUE(eventually([&] { return shared->board().rank(0).snapshot().beats > 0; }));
    // The process may not yet be where it will stay, so its stack is asked for until it is.
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  waiting.board().want_stacks();
  computing.board().want_stacks();
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(eventually([&] {
      stacks[i] = nodes[i].next().ranks.at(0).stack;
      return !stacks[i].empty();
    }));
  EXPECT_THAT(stacks[0], HasSubstr("entrain_test_waits_for_ever (control_test)"));
  EXPECT_THAT(stacks[0], Not(HasSubstr("computes_for_ever")));
  EXPECT_THAT(stacks[1], ::testing::StartsWith("entrain_test_computes_for_ever (control_test)\n"))
      << "neither the handler nor the way back from it is shown";
  EXPECT_EQ(nodes[0].next().ranks.at(0).stack, "") << "told once";
  EXPECT_LE(std::count(stacks[0].begin(), stacks[0].end(), '\n'), 24);
}

TEST(Heartbeat, AStackThatDoesNotComeIsSaidSo) {
  const SharedBoard shared(1);
  const auto child = rank_in(shared, [] {
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
    entrain_test_waits_for_ever();
  });
  ASSERT_TRUE(eventually([&] { return shared.board().rank(0).snapshot().beats > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  shared.board().want_stacks();
  ASSERT_TRUE(eventually([&] { return shared.board().rank(0).stack_number() > 0; }));
  EXPECT_THAT(shared.board().rank(0).stack().value_or(""), HasSubstr("does not answer"));
  const auto beats = shared.board().rank(0).snapshot().beats;
  EXPECT_TRUE(eventually([&] { return shared.board().rank(0).snapshot().beats > beats; })) << "it goes on";
}

std::atomic<int> handled{0};

TEST(Heartbeat, TakesNoSignalThatIsForTheMainThread) {
  control::RankProgress mine;
  struct sigaction action {
  }, former{};
  action.sa_handler = [](int) { ++handled; };
  ::sigaction(SIGUSR1, &action, &former);
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  {
    const Heartbeat heartbeat(mine);
    ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
    ::kill(::getpid(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(handled, 0) << "nobody but the main thread could have taken it";
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    EXPECT_TRUE(eventually([] { return handled == 1; }));
  }
  ::sigaction(SIGUSR1, &former, nullptr);
}

TEST(Heartbeat, ASecondSigusr2ThatNobodyAskedForDoesNothing) {
  control::RankProgress mine;
  const Heartbeat heartbeat(mine);
  ::raise(SIGUSR2);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(mine.stack_number(), 0U);
}

TEST(NodeBeats, LeaveOutWhoHasNotJoinedAndKnowRankZero) {
  const SharedBoard shared(3);
  NodeBeats node(shared.board(), "n1");
  EXPECT_EQ(node.next().ranks.size(), 0U);
  shared.board().rank(1).join(4);
  shared.board().rank(1).committed(9);
  EXPECT_EQ(node.next().committed, -1) << "rank 4 does not commit";
  shared.board().rank(2).join(0);
  shared.board().rank(2).committed(7);
  const auto beat = node.next();
  EXPECT_EQ(beat.host, "n1");
  EXPECT_EQ(beat.committed, 7);
  ASSERT_EQ(beat.ranks.size(), 2U);
  EXPECT_EQ(beat.ranks[0].rank, 4);
}

}  // namespace
}  // namespace entrain::tests
