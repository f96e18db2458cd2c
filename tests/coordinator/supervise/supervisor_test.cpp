// The recovery ladder: what follows on each way in which a generation ends.
#include "coordinator/supervise/supervisor.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "configs/cat.hpp"

namespace entrain::tests {
namespace {

using supervise::Ending;
using supervise::Placement;
using supervise::Supervisor;
using supervise::SupervisorSettings;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// Writes down what is done to the world.
struct Notes : supervise::World {
  void launch(std::int64_t generation, const Placement& placement) override {
    std::string nodes;
    for (const auto& node : placement.nodes) nodes += cat(' ', node);
    done.push_back(cat("launch ", generation, ": ", placement.ranks, " on", nodes));
  }
  void kill() override { done.emplace_back("kill"); }
  void ask_stop(const std::string& reason) override { done.push_back(cat("ask to stop: ", reason)); }
  void ask_stacks() override { done.emplace_back("ask for stacks"); }
  void tell(const std::string& kind, const std::string& text, bool) override {
    told.push_back(cat(kind, ": ", text));
  }
  std::set<std::string> down_nodes() override { return down; }
  void finish(int code, const std::string& reason) override {
    done.push_back(cat("finish ", code, ": ", reason));
  }

  std::vector<std::string> done, told;
  std::set<std::string> down;
};

// Two nodes of two ranks and a spare; every tick is a quarter of a second.
class Ladder : public ::testing::Test {
 protected:
  static SupervisorSettings settings() {
    SupervisorSettings s;
    s.fleet = {{"n1", "n2", "n3"}, 2, 2, 2, 64};
    return s;
  }

  void begin() { supervisor_.start(now_); }
  void beats(double seconds, const std::set<int>& silent = {}) {
    for (const double end = now_ + seconds; now_ < end; now_ += 0.25) {
      const auto& nodes = supervisor_.placement().nodes;
      for (std::size_t n = 0; n < nodes.size() && std::fmod(now_, 1) == 0; ++n) {
        control::NodeBeat node{nodes[n], -1, {}};
        for (int r = static_cast<int>(2 * n); r < static_cast<int>(2 * n + 2); ++r)
          if (silent.count(r) == 0)
            node.ranks.push_back(
                {.rank = r, .beats = ++beats_, .step = ++step_, .collectives = beats_, .step_seconds = 1});
        supervisor_.beat(node, now_);
      }
      supervisor_.tick(now_);
    }
  }
  void ends(int code, std::int64_t committed = 0, const std::string& reason = "") {
    supervisor_.exited({code, reason, committed}, now_);
  }

  Notes world_;
  Supervisor supervisor_{settings(), world_};
  double now_ = 100;
  std::uint64_t beats_ = 0;
  std::int64_t step_ = 0;
};

TEST_F(Ladder, ARunThatEndsWellIsDone) {
  begin();
  beats(5);
  EXPECT_EQ(supervisor_.state(), Supervisor::State::kTraining);
  ends(0, 10);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "finish 0: "));
  EXPECT_EQ(supervisor_.committed(), 10);
}

TEST_F(Ladder, AKilledRankIsStartedAgainOnTheSameNodes) {
  begin();
  beats(5);
  ends(137, 10);
  beats(2);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "launch 2: 4 on n1 n2"));
  EXPECT_EQ(supervisor_.failures(), 1);
}

// The first set-up took 40 s: the second is given 200 s, not the configured 900.
TEST_F(Ladder, WhatAGenerationTaughtIsAskedOfTheNext) {
  begin();
  now_ += 40;
  beats(5);
  ASSERT_EQ(supervisor_.state(), Supervisor::State::kTraining);
  ends(137, 10);
  beats(1);
  const auto set_up_until = [&](double end) {
    for (; now_ < end; now_ += 1) {
      ++beats_;
      for (int n = 0; n < 2; ++n)
        supervisor_.beat(
            {cat("n", n + 1), -1, {{.rank = 2 * n, .beats = beats_}, {.rank = 2 * n + 1, .beats = beats_}}},
            now_);
      supervisor_.tick(now_);
    }
  };
  const double launched = now_;
  set_up_until(launched + 190);
  EXPECT_THAT(world_.told, Not(Contains(StartsWith("hang"))));
  set_up_until(launched + 215);
  EXPECT_THAT(world_.told, Contains(AllOf(StartsWith("hang"), HasSubstr("in phase setup"))));
}

TEST_F(Ladder, WhatWouldEndTheSameWayIsNotTriedAgain) {
  for (const int code : {64, 65, 69, 70, 73, 78, 90}) {
    Notes world;
    Supervisor supervisor(settings(), world);
    supervisor.start(0);
    supervisor.exited({code, "why", 0}, 1);
    EXPECT_THAT(world.done, Contains(cat("finish ", code, ": why")));
  }
  for (const int code : {1, 76, 134, 137, 139, 143, 255}) {
    Notes world;
    Supervisor supervisor(settings(), world);
    supervisor.start(0);
    supervisor.exited({code, "why", 0}, 1);
    EXPECT_THAT(world.done, Not(Contains(StartsWith("finish")))) << code;
  }
}

TEST_F(Ladder, ANodeThatIsGoneBeforeItSpokeIsReplacedAtOnce) {
  begin();
  supervisor_.gone({"n3", "n9"}, now_);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2")) << "no rank is there";
  supervisor_.beat({"n1", -1, {{.rank = 0}, {.rank = 1}}}, now_);
  supervisor_.gone({"n1", "n2"}, now_);
  supervisor_.tick(now_);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "kill"));
  EXPECT_THAT(world_.told, Contains(StartsWith("dead: node n2 is gone, by Slurm's word")));
  ends(137);
  now_ += 2;
  supervisor_.tick(now_);
  EXPECT_THAT(world_.done, Contains("launch 2: 4 on n1 n3"));
}

TEST_F(Ladder, ATableOfNobodyIsNotTold) {
  begin();
  for (const double end = now_ + 130; now_ < end; now_ += 0.25) supervisor_.tick(now_);
  EXPECT_THAT(world_.told, Contains(HasSubstr("4 of 4 ranks have not come up")));
  EXPECT_THAT(world_.told, Not(Contains(StartsWith("behind"))));
}

TEST_F(Ladder, ASilentNodeIsKilledAndReplacedByTheSpare) {
  begin();
  beats(5);
  beats(12, {2, 3});
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "kill"));
  EXPECT_THAT(world_.told,
              AllOf(Contains(StartsWith("suspect: ranks 2, 3 on n2")),
                    Contains(StartsWith("dead: ranks 2, 3 on n2")), Contains(StartsWith("behind: "))));
  ends(137, 10);
  beats(2);
  EXPECT_THAT(world_.done, Contains("launch 2: 4 on n1 n3"));
  EXPECT_THAT(world_.told, Contains("drop: node n2 is left out from now on"));
}

TEST_F(Ladder, OneSilentRankOfANodeDoesNotCondemnTheNode) {
  begin();
  beats(5);
  beats(12, {3});
  ends(137, 10);
  beats(2);
  EXPECT_THAT(world_.done, Contains("launch 2: 4 on n1 n2"));
}

TEST_F(Ladder, WhereAllFallSilentTheSchedulerSaysWhoIsGone) {
  begin();
  beats(5);
  beats(12, {0, 1, 2, 3});
  world_.down = {"n1"};
  ends(137, 10);
  beats(2);
  EXPECT_THAT(world_.done, Contains("launch 2: 4 on n2 n3"));
}

TEST_F(Ladder, WithoutSparesFewerRanksGoOn) {
  begin();
  beats(5);
  world_.down = {"n1", "n3"};
  ends(137, 10);
  beats(2);
  EXPECT_THAT(world_.done, Contains("launch 2: 2 on n2"));
  world_.down = {"n1", "n2", "n3"};
  ends(137, 20);
  beats(2);
  EXPECT_THAT(world_.done, Contains(StartsWith("finish 76: fewer than 2 ranks")));
}

TEST_F(Ladder, ThreeGenerationsWithoutACommitAreEnough) {
  begin();
  for (int i = 0; i < 3; ++i) beats(5), ends(137), beats(6);
  EXPECT_THAT(world_.done,
              ElementsAre("launch 1: 4 on n1 n2", "launch 2: 4 on n1 n2", "launch 3: 4 on n1 n2",
                          StartsWith("finish 93: 3 generations in a row failed without a new commit")));
}

TEST_F(Ladder, ACommitBeginsTheCountAnew) {
  begin();
  for (int i = 1; i <= 12; ++i) beats(5), ends(137, i), beats(6);
  EXPECT_THAT(world_.done, Not(Contains(StartsWith("finish"))));
  EXPECT_EQ(supervisor_.failures(), 12);
}

TEST_F(Ladder, AHangIsToldWithStacksBeforeAnythingIsKilled) {
  begin();
  beats(5);
  std::vector<control::NodeBeat> still;
  for (int n = 0; n < 2; ++n)
    still.push_back({cat('n', n + 1),
                     -1,
                     {{.rank = 2 * n,
                       .step = 99,
                       .phase = control::Phase::kCompute,
                       .collectives = 99U,
                       .step_seconds = 1},
                      {.rank = 2 * n + 1,
                       .step = 99,
                       .phase = control::Phase::kCompute,
                       .collectives = n == 0 ? 99U : 98U,
                       .step_seconds = 1}}});
  for (const double end = now_ + 40; now_ < end; now_ += 0.25) {
    for (auto& node : still) {
      for (auto& rank : node.ranks) ++rank.beats;
      supervisor_.beat(node, now_);
    }
    supervisor_.tick(now_);
  }
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "ask for stacks", "kill"));
  EXPECT_THAT(world_.told, Contains(AllOf(StartsWith("hang: "), HasSubstr("the others wait for rank 3"))));
}

TEST_F(Ladder, AStopIsAskedForOnceAndEndsWithWhatTheRanksSay) {
  begin();
  beats(5);
  supervisor_.stop("SIGUSR1", now_);
  supervisor_.stop("SIGTERM", now_);
  EXPECT_EQ(supervisor_.state(), Supervisor::State::kStopping);
  ends(75, 10, "committed");
  EXPECT_THAT(world_.done,
              ElementsAre("launch 1: 4 on n1 n2", "ask to stop: SIGUSR1", "finish 75: SIGUSR1; committed"));
  EXPECT_EQ(std::count(world_.told.begin(), world_.told.end(), "stop: asked to stop: SIGUSR1"), 1);
  EXPECT_THAT(world_.told, Not(Contains(HasSubstr("by themselves"))));
}

TEST_F(Ladder, RanksThatWereToldToStopByTheSchedulerEndTheRunToo) {
  begin();
  beats(5);
  supervisor_.exited({75, "committed", 10, true, false, "the job's time limit is in 58s"}, now_);
  EXPECT_THAT(world_.done, Contains("finish 75: the job's time limit is in 58s; committed"));
  EXPECT_THAT(world_.told, Contains("stop: the ranks stopped by themselves: the job's time limit is in 58s"));
}

TEST_F(Ladder, RanksThatHaveSaidGoodbyeAreNotMissed) {
  begin();
  beats(5);
  supervisor_.stop("SIGTERM", now_);
  for (const char* host : {"n1", "n2"}) supervisor_.leaving(host), supervisor_.lost(host, now_);
  beats(20, {0, 1, 2, 3});  // a launcher that takes its time
  EXPECT_THAT(world_.done, Not(Contains("kill")));
  ends(75, 10, "committed");
  EXPECT_THAT(world_.done, Contains("finish 75: SIGTERM; committed"));
}

TEST_F(Ladder, TheSecondWarningSaysThatTheSilentRankIsTakenForDead) {
  begin();
  beats(5);
  beats(30, {3});
  EXPECT_THAT(world_.told, Contains(AllOf(StartsWith("suspect: rank 3 on n2: no heartbeat for"),
                                          HasSubstr("; taken for dead after "))));
  EXPECT_THAT(world_.told, Contains(AllOf(StartsWith("dead: rank 3 on n2: no heartbeat for"),
                                          ::testing::EndsWith(": taken for dead"))));
}

TEST_F(Ladder, AStageWithoutStepsBeginsAtNone) {
  SupervisorSettings stage = settings();
  stage.has_steps = false;
  Notes world;
  Supervisor supervisor(stage, world);
  supervisor.start(0);
  EXPECT_THAT(world.told, Contains("launch: generation 1: 4 ranks on n1,n2"));
  EXPECT_THAT(world.told, Not(Contains(HasSubstr("from step"))));
}

TEST_F(Ladder, WhatRankZeroWroteIsBelievedAlsoOfAGenerationThatWasKilled) {
  for (const bool told : {true, false}) {
    Notes world;
    Supervisor supervisor(settings(), world);
    supervisor.start(0);
    supervisor.beat({"n1", -1, {{.rank = 0, .beats = 1, .step_seconds = 1}}}, 1);
    supervisor.stop("SIGTERM", 1);
    supervisor.lost("n1", 1);
    for (double t = 1; t < 8; t += 0.25) supervisor.tick(t);
    ASSERT_THAT(world.done, Contains("kill"));
    Ending ending{75, "committed", 10, told};

    supervisor.exited(ending, 9);
    EXPECT_THAT(world.done, Contains(StartsWith(told ? "finish 75" : "finish 76")));
  }
}

TEST_F(Ladder, NothingHappensToASupervisorThatHasNotBegun) {
  beats(0);
  supervisor_.tick(now_);
  EXPECT_THAT(world_.done, IsEmpty());
}

TEST_F(Ladder, AFailureWhileStoppingIsNotStartedAgain) {
  begin();
  beats(5);
  supervisor_.stop("SIGTERM", now_);
  ends(137, 0);
  beats(5);
  EXPECT_THAT(world_.done, Contains(StartsWith("finish 76: was asked to stop")));
  EXPECT_THAT(world_.done, Not(Contains(StartsWith("launch 2"))));
}

// As ranks do that were stopped while they came up and that the kill wakes.
TEST_F(Ladder, RanksThatTookTheKillForAWishToStopGoOn) {
  begin();
  beats(5);
  beats(12, {2, 3});
  ASSERT_EQ(world_.done.back(), "kill");
  supervisor_.exited({.code = 75, .reason = "stopped on request", .committed = 3, .told = true}, now_);
  beats(2);
  EXPECT_THAT(world_.done, Contains(StartsWith("launch 2")));
  EXPECT_THAT(world_.done, Not(Contains(StartsWith("finish"))));
  EXPECT_EQ(supervisor_.committed(), 3);
}

TEST_F(Ladder, WhoDoesNotWantToWaitHasNotFailed) {
  begin();
  beats(5);
  supervisor_.stop("SIGINT", now_);
  supervisor_.stop_at_once();
  ends(1, 7);
  beats(5);
  EXPECT_THAT(world_.done, Contains("kill"));
  EXPECT_THAT(world_.done, Contains("finish 76: ended at once, as asked; step 7 is the newest commit"));
  EXPECT_EQ(supervisor_.failures(), 0);
}

TEST_F(Ladder, AStopBetweenTwoGenerationsIsTheEnd) {
  begin();
  beats(5);
  ends(137, 5);
  supervisor_.stop("SIGTERM", now_);
  beats(5);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", StartsWith("finish 76: stopped between")));
}

TEST_F(Ladder, ALauncherThatNeverStartsARankIsNotTriedThreeTimes) {
  begin();
  Ending ending{213, "mpirun ended with 213", 0};
  ending.never_up = true;
  supervisor_.exited(ending, now_ + 1);
  EXPECT_THAT(world_.done,
              Contains(StartsWith("finish 78: mpirun ended with 213 before any rank had spoken")));
}

TEST_F(Ladder, ARankThatIsKilledBeforeItSpokeIsStartedAgain) {
  begin();
  supervisor_.exited({.code = 137, .reason = "mpirun ended with 137", .committed = 0, .never_up = true},
                     now_ + 1);
  now_ += 2;
  beats(2);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "launch 2: 4 on n1 n2"));
}

TEST_F(Ladder, ASupervisorThatComesBackTakesOver) {
  Notes world;
  Supervisor supervisor(settings(), world,
                        {.generation = 7, .committed = 30, .cycles = 1, .failures = 4, .out = {}});
  supervisor.adopt({{"n1", "n2"}, 4, 2}, 0);
  EXPECT_THAT(world.done, IsEmpty());
  supervisor.exited({137, "", 30}, 1);
  for (double t = 1; t < 8; t += 0.25) supervisor.tick(t);
  EXPECT_THAT(world.done, ElementsAre("launch 8: 4 on n1 n2"));
  EXPECT_EQ(supervisor.failures(), 5);
}

TEST_F(Ladder, AnAdoptedGenerationThatDoesNotSpeakIsNotWaitedForLong) {
  Notes world;
  Supervisor supervisor(settings(), world,
                        {.generation = 7, .committed = 30, .cycles = 0, .failures = 0, .out = {}});
  supervisor.adopt({{"n1", "n2"}, 4, 2}, 0);
  for (double t = 0; t < 25; t += 0.25) supervisor.tick(t);
  EXPECT_THAT(world.done, ElementsAre("ask for stacks", "kill"));
}

TEST_F(Ladder, ASuspendedSupervisorBlamesNobodyAndThenSeesAsWellAsBefore) {
  begin();
  beats(5);
  now_ += 7200;
  beats(5);
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2"));
  beats(12, {2, 3});
  EXPECT_THAT(world_.done, ElementsAre("launch 1: 4 on n1 n2", "kill"));
}

}  // namespace
}  // namespace entrain::tests
