#include "coordinator/control/progress.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "tests/coordinator/control/server_thread.hpp"
#include "tests/coordinator/control/shared_board.hpp"

namespace entrain::tests {
namespace {

using control::Phase;
using control::RankProgress;

TEST(Progress, MarksAreWhatASnapshotShows) {
  RankProgress mine;
  mine.join(3);
  mine.finished_step(12, 1.5);
  mine.count_collective();
  mine.count_collective();
  mine.set_queue_depth(4);
  mine.caught_signal(15);
  mine.beat(1000);
  const auto seen = mine.snapshot();
  EXPECT_EQ(seen.rank, 3);
  EXPECT_EQ(seen.pid, ::getpid());
  EXPECT_EQ(seen.step, 12);
  EXPECT_EQ(seen.step_seconds, 1.5);
  EXPECT_EQ(seen.collectives, 2U);
  EXPECT_EQ(seen.queue_depth, 4);
  EXPECT_EQ(seen.signal, 15);
  EXPECT_EQ(seen.beats, 1U);
  EXPECT_EQ(seen.memory_bytes, 1000U);
  EXPECT_FALSE(health::is_known(seen.gpu));
  mine.beat(1000, {0.25, 8e9, {}, 300, 2e6});
  EXPECT_EQ(mine.snapshot().gpu.utilization, 0.25);
  EXPECT_EQ(mine.snapshot().gpu.temperature_celsius, std::nullopt);
  EXPECT_EQ(mine.snapshot().gpu.energy_joules, 2e6);
  mine.beat(1000);
  EXPECT_FALSE(health::is_known(mine.snapshot().gpu)) << "nobody reads it any more";
  EXPECT_EQ(mine.committed(), -1) << "nothing is committed yet";
  mine.committed(8);
  EXPECT_EQ(mine.committed(), 8);
}

TEST(Progress, AScopeRestoresTheFormerPhase) {
  RankProgress mine;
  const auto phase = [&] { return mine.snapshot().phase; };
  EXPECT_EQ(phase(), Phase::kSetup);
  mine.set_phase(Phase::kCompute);
  {
    const auto collective = mine.enter(Phase::kCollective);
    EXPECT_EQ(phase(), Phase::kCollective);
    {
      const auto commit = mine.enter(Phase::kCommit);
      EXPECT_EQ(phase(), Phase::kCommit);
    }
    EXPECT_EQ(phase(), Phase::kCollective);
  }
  EXPECT_EQ(phase(), Phase::kCompute);
}

TEST(Progress, TheTimeInAPhaseBeginsAnewWithThePhase) {
  RankProgress mine;
  mine.set_phase(Phase::kData);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const double waited = mine.snapshot().seconds_in_phase;
  EXPECT_GE(waited, 0.29);
  EXPECT_LT(waited, 100);
  mine.set_phase(Phase::kCompute);
  EXPECT_LT(mine.snapshot().seconds_in_phase, waited);
}

TEST(Progress, TheFirstReasonToStopStays) {
  RankProgress mine;
  EXPECT_FALSE(mine.stop_asked());
  EXPECT_EQ(mine.stop_reason(), "");
  mine.ask_stop("preempted");
  mine.ask_stop("another");
  EXPECT_TRUE(mine.stop_asked());
  EXPECT_EQ(mine.stop_reason(), "preempted");
  RankProgress other;
  other.ask_stop(std::string(1000, 'r'));
  EXPECT_EQ(other.stop_reason(), std::string(RankProgress::kReasonBytes - 1, 'r'));
}

TEST(Progress, AStackIsNumberedAndCut) {
  RankProgress mine;
  EXPECT_EQ(mine.stack_number(), 0U);
  mine.set_stack("main\n");
  EXPECT_EQ(mine.stack_number(), 2U);
  EXPECT_EQ(mine.stack(), "main\n");
  mine.set_stack(std::string(10000, 's'));
  EXPECT_EQ(mine.stack_number(), 4U);
  EXPECT_EQ(mine.stack(), std::string(RankProgress::kStackBytes - 1, 's'));
}

// The writer alternates between two texts; a reader without the sequence counter sees mixtures of them.
TEST(Progress, AStackIsNeverReadHalfWritten) {
  RankProgress mine;
  std::atomic<bool> end{false};
  const std::string a(4000, 'a'), b(3000, 'b');
  std::thread writer([&] {
    for (bool turn = false; !end; turn = !turn) {
      mine.set_stack(turn ? a : b);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  });
  int seen_a = 0, seen_b = 0, mixed = 0, interrupted = 0;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < give_up &&
         (seen_a < 2000 || seen_b < 2000 || interrupted < 100)) {
    const auto text = mine.stack();
    if (!text)
      ++interrupted;
    else if (!text->empty())
      ++(*text == a ? seen_a : *text == b ? seen_b : mixed);
  }
  end = true;
  writer.join();
  EXPECT_EQ(mixed, 0);
  EXPECT_GE(seen_a, 2000);
  EXPECT_GE(seen_b, 2000);
  EXPECT_GE(interrupted, 100) << "reading and writing never met, so this test saw nothing";
}

TEST(Board, IsOneMemoryForAllWhoTakeItUp) {
  const SharedBoard shared(3);
  const Child child([&] {
    shared.board().rank(1).join(9);
    shared.board().rank(1).finished_step(77, 0.5);
    ::pause();
  });
  ASSERT_TRUE(eventually([&] { return shared.board().rank(1).snapshot().step == 77; }));
  EXPECT_EQ(shared.board().rank(1).pid(), child.pid());
  EXPECT_EQ(shared.board().rank(0).pid(), 0) << "has not joined";
  EXPECT_THROW(shared.board().rank(3), std::out_of_range);
  EXPECT_THROW(shared.board().rank(-1), std::out_of_range);
}

TEST(Board, OrdersReachEveryRank) {
  const SharedBoard shared(3);
  shared.board().ask_stop("drained");
  shared.board().fence();
  shared.board().want_stacks();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(shared.board().rank(i).stop_reason(), "drained");
    EXPECT_TRUE(shared.board().rank(i).fenced());
    EXPECT_TRUE(shared.board().rank(i).take_want_stack());
    EXPECT_FALSE(shared.board().rank(i).take_want_stack()) << "once";
  }
}

TEST(Board, ProgressGoesThereOnceItIsUsed) {
  control::progress().caught_signal(10);
  control::progress().set_phase(Phase::kData);
  const SharedBoard shared(2);
  control::use_board(shared.board(), 1, 5);
  EXPECT_EQ(&control::progress(), &shared.board().rank(1));
  EXPECT_EQ(shared.board().rank(1).rank(), 5);
  EXPECT_EQ(shared.board().rank(1).snapshot().signal, 10) << "a signal from before is not forgotten";
  EXPECT_EQ(shared.board().rank(1).snapshot().phase, Phase::kData);
  control::progress().count_collective();
  EXPECT_EQ(shared.board().rank(1).snapshot().collectives, 1U);
  control::leave_board();
  EXPECT_NE(&control::progress(), &shared.board().rank(1));
  control::progress().count_collective();
  EXPECT_EQ(shared.board().rank(1).snapshot().collectives, 1U);
}

TEST(Progress, AMarkIsCheap) {
  RankProgress mine;
  const auto cpu_nanoseconds = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
  };
  const auto nanoseconds = [&](const auto& mark) {
    constexpr int kTimes = 1000000;
    const double start = cpu_nanoseconds();
    for (int i = 0; i < kTimes; ++i) mark(i);
    return (cpu_nanoseconds() - start) / kTimes;
  };
  const double scope = nanoseconds([&](int) { const auto in = mine.enter(Phase::kCollective); });
  const double count = nanoseconds([&](int) { mine.count_collective(); });
  const double step = nanoseconds([&](int i) { mine.finished_step(i, 1); });
  std::printf("a phase and back %.1f ns, a collective %.1f ns, a step %.1f ns\n", scope, count, step);
  EXPECT_LT(scope + count + step, 2000) << "a lock or a system call costs more";
  EXPECT_EQ(mine.snapshot().collectives, 1000000U);
}

}  // namespace
}  // namespace entrain::tests
