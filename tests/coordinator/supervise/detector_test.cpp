// When ranks are told to be silent, dead or stuck, and who is blamed.
#include "coordinator/supervise/detector.hpp"

#include <gmock/gmock.h>

#include "configs/cat.hpp"

namespace entrain::tests {
namespace {

using control::NodeBeat;
using control::Phase;
using control::RankBeat;
using supervise::Detector;
using supervise::PhaseLimits;
using supervise::Verdict;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = supervise::Verdict::Kind;

// Four ranks on two nodes that beat once a second, all in step unless told otherwise.
class Four : public ::testing::Test {
 protected:
  static constexpr double kPeriod = 1;

  RankBeat& rank(int number) {
    return nodes_[static_cast<std::size_t>(number / 2)].ranks[static_cast<std::size_t>(number % 2)];
  }

  // Every second until `end`: those that live beat, and if all work, a step of three collectives is done.
  void run_until(double end) {
    for (; now_ < end; now_ += kPeriod) {
      for (auto& node : nodes_) {
        NodeBeat sent{node.host, -1, {}};
        for (auto& r : node.ranks) {
          if (silent_.count(r.rank) > 0 && r.stopped == false) continue;
          if (silent_.count(r.rank) == 0) ++r.beats;
          if (works_) r.collectives += 3, r.step += 1, r.step_seconds = kPeriod, r.phase = Phase::kCompute;
          sent.ranks.push_back(r);
        }
        if (!sent.ranks.empty()) detector_.beat(sent, now_);
      }
    }
  }

  Detector detector_{{}, PhaseLimits({}), 4, true, 0};
  std::vector<NodeBeat> nodes_{{"n1", -1, {RankBeat{.rank = 0, .pid = 10}, RankBeat{.rank = 1, .pid = 11}}},
                               {"n2", -1, {RankBeat{.rank = 2, .pid = 12}, RankBeat{.rank = 3, .pid = 13}}}};
  std::set<int> silent_;
  bool works_ = true;
  double now_ = 0;
};

TEST_F(Four, AHealthyRunIsFineForDays) {
  run_until(20);
  EXPECT_TRUE(detector_.trains());
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  EXPECT_EQ(detector_.ranks().size(), 4U);
}

TEST_F(Four, SilenceIsSuspectAfterThreeSecondsAndDeadWithinTen) {
  run_until(30);
  silent_ = {3};
  works_ = false;
  double suspect = 0, dead = 0;
  for (const double lost = now_; dead == 0 && now_ < lost + 60;) {
    run_until(now_ + kPeriod);
    const Verdict verdict = detector_.look(now_);
    if (verdict.kind == Kind::kSuspect && suspect == 0) suspect = now_ - lost;
    if (verdict.kind == Kind::kDead) {
      dead = now_ - lost;
      EXPECT_THAT(verdict.ranks, ElementsAre(3));
      EXPECT_THAT(verdict.why, AllOf(HasSubstr("rank 3 on n2"), HasSubstr("no heartbeat for")));
    }
  }
  EXPECT_GE(suspect, 2);
  EXPECT_LE(suspect, 4);
  EXPECT_GT(dead, suspect);
  EXPECT_LE(dead, 6);  // heartbeats came once a second for half a minute: five times that
}

TEST_F(Four, WithoutExperienceDeathTakesTheConfiguredTen) {
  run_until(5);
  EXPECT_EQ(detector_.dead_after(), 10);
  run_until(60);
  EXPECT_EQ(detector_.dead_after(), 5);
}

TEST_F(Four, AProcessThatTheKernelSaysIsStoppedIsDeadAsSoonAsItIsSuspect) {
  run_until(6);
  works_ = false;
  silent_ = {1};
  rank(1).stopped = true;  // its node goes on telling of it
  run_until(now_ + 4);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kDead);
  EXPECT_THAT(verdict.why, AllOf(HasSubstr("rank 1 on n1"), HasSubstr("process 11 is stopped (state T)")));
}

// The first rank of a node speaks for all of it: only somebody else can say that it is stopped.
TEST_F(Four, OfANodeThatIsSilentTheStoppedRankIsToBlame) {
  run_until(10);
  silent_ = {0, 1};
  run_until(13);
  detector_.stopped(0);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kDead);
  EXPECT_THAT(verdict.ranks, ElementsAre(0));
  EXPECT_THAT(verdict.why, HasSubstr("process 10 is stopped (state T)"));
  silent_.clear();
  run_until(20);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine) << "it goes on";
}

TEST_F(Four, ALostConnectionIsDeathUnlessTheNodeIsBackSoon) {
  run_until(6);
  detector_.lost("n2", now_);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(now_ + 1);  // it came back
  EXPECT_EQ(detector_.look(now_ + 0.5).kind, Kind::kFine);
  detector_.lost("n2", now_);
  silent_ = {2, 3};
  run_until(now_ + 4);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kDead);
  EXPECT_THAT(verdict.ranks, ElementsAre(2, 3));
  EXPECT_THAT(verdict.why, HasSubstr("its connection is gone"));
}

TEST_F(Four, WhoEnteredFewerCollectivesIsWhoTheOthersWaitFor) {
  run_until(30);
  works_ = false;
  for (int r = 0; r < 4; ++r)
    rank(r).collectives += r == 2 ? 0 : 1, rank(r).phase = r == 2 ? Phase::kData : Phase::kCollective;
  run_until(now_ + 29);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(now_ + 4);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kHang);
  EXPECT_THAT(verdict.ranks, ElementsAre(2));
  EXPECT_THAT(verdict.why, HasSubstr("the others wait for rank 2"));
  const std::string table = detector_.table(now_);
  EXPECT_LT(table.find("n2"), table.find("n1")) << table;  // the culprit stands first
  // Header and rows stand below each other, and fit a terminal.
  const std::string head = table.substr(0, table.find('\n')), row = table.substr(head.size() + 1, 80);
  EXPECT_EQ(head.find("host"), row.find("n2")) << table;
  EXPECT_EQ(head.find("phase"), row.find("data")) << table;
  EXPECT_LE(head.size(), 78U) << table;
  EXPECT_THAT(table, HasSubstr("data"));
}

TEST_F(Four, ALaggardIsNamedLongBeforeItIsAHang) {
  run_until(30);
  EXPECT_THAT(detector_.waited_for(now_), IsEmpty());
  works_ = false;
  for (int r = 0; r < 4; ++r)
    rank(r).phase = r == 1 ? Phase::kCompute : Phase::kCollective, rank(r).collectives += r == 1 ? 0 : 1;
  run_until(now_ + 1);
  EXPECT_THAT(detector_.waited_for(now_), IsEmpty()) << "they have just begun to wait";
  for (int r = 0; r < 4; ++r) rank(r).seconds_in_phase = 5;
  run_until(now_ + 2);
  EXPECT_THAT(detector_.waited_for(now_), ElementsAre(1));
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
}

TEST_F(Four, AllInOneCollectiveIsNobodysFault) {
  run_until(30);
  works_ = false;
  for (int r = 0; r < 4; ++r) rank(r).phase = Phase::kCollective;
  run_until(now_ + 40);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kHang);
  EXPECT_THAT(verdict.ranks, IsEmpty());
  EXPECT_THAT(verdict.why, HasSubstr("the network"));
}

TEST_F(Four, SlowStepsTeachPatience) {
  for (int r = 0; r < 4; ++r) rank(r).step_seconds = 60;
  works_ = false;
  for (int r = 0; r < 4; ++r) rank(r).phase = Phase::kCompute, rank(r).step = 1;
  run_until(110);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(130);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kHang);
}

// A compute phase that was seen to last for 50 s and ended may last five times that; reading data never took so long.
TEST_F(Four, EachPhaseHasTheLimitThatItsOwnStaysTaught) {
  run_until(10);
  works_ = false;
  const auto all_in = [&](Phase phase, double seconds) {
    for (int r = 0; r < 4; ++r)
      ++rank(r).collectives, rank(r).phase = phase, rank(r).seconds_in_phase = seconds;
    run_until(now_ + 1);
  };
  all_in(Phase::kCompute, 50);
  for (const Phase phase : {Phase::kCompute, Phase::kData}) {
    all_in(phase, 0);
    run_until(now_ + 40);
    EXPECT_EQ(detector_.look(now_).kind, phase == Phase::kCompute ? Kind::kFine : Kind::kHang)
        << name_of(phase);
  }
  EXPECT_THAT(detector_.look(now_).why, HasSubstr("in phase data"));
  EXPECT_EQ(detector_.limits().limit(Phase::kCompute), 250);
  EXPECT_EQ(detector_.limits().limit(Phase::kData), 30);
  all_in(Phase::kData, 20);
  all_in(Phase::kCompute, 0);
  EXPECT_EQ(detector_.limits().limit(Phase::kData), 100);
}

TEST_F(Four, WhatOneGenerationTaughtHoldsForTheNextAndNeverExceedsWhatIsConfigured) {
  works_ = false;
  run_until(50);
  works_ = true;
  run_until(60);
  EXPECT_TRUE(detector_.trains());
  EXPECT_EQ(detector_.limits().limit(Phase::kSetup), 250);  // 50 s from launch to the first step
  EXPECT_EQ(detector_.limits().limit(Phase::kCommit), 300) << "none was seen: as configured";
  PhaseLimits limits = detector_.limits();
  limits.left(Phase::kCommit, 2);
  EXPECT_EQ(limits.limit(Phase::kCommit), 60);
  limits.left(Phase::kCommit, 100);
  EXPECT_EQ(limits.limit(Phase::kCommit), 300);

  Detector next({}, limits, 1, true, 0);
  RankBeat beat{.rank = 0, .phase = Phase::kSetup};
  double now = 0;
  const auto beat_until = [&](double end) {
    for (; now < end; ++now) ++beat.beats, next.beat({"n1", -1, {beat}}, now);
  };
  beat_until(240);
  EXPECT_EQ(next.look(now).kind, Kind::kFine);
  beat_until(260);
  EXPECT_EQ(next.look(now).kind, Kind::kHang);
}

// Rank 0 publishes a commit; the others stand in the next collective, one further than it or not.
TEST_F(Four, WhoWaitsForACommitIsAsPatientAsTheCommit) {
  for (const std::uint64_t ahead : {0U, 1U}) {
    run_until(now_ + 30);
    works_ = false;
    for (int r = 0; r < 4; ++r) rank(r).phase = r == 0 ? Phase::kCommit : Phase::kCollective;
    rank(0).collectives += ahead;
    run_until(now_ + 40);
    EXPECT_EQ(detector_.look(now_).kind, Kind::kFine) << ahead;
    rank(0).phase = Phase::kCompute;  // the negative control
    run_until(now_ + 32);
    EXPECT_EQ(detector_.look(now_).kind, Kind::kHang) << ahead;
    works_ = true;
    rank(0).collectives += 1 - ahead;
  }
}

TEST_F(Four, SetUpAndCommitsHaveLimitsOfTheirOwn) {
  works_ = false;  // no step yet
  run_until(800);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(910);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kHang);

  works_ = true;
  run_until(940);
  works_ = false;
  rank(0).phase = Phase::kCommit;
  run_until(now_ + 290);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(now_ + 20);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kHang);
}

TEST_F(Four, RanksThatNeverCameUpAreCounted) {
  nodes_.pop_back();
  run_until(118);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
  run_until(122);
  const Verdict verdict = detector_.look(now_);
  EXPECT_EQ(verdict.kind, Kind::kHang);
  EXPECT_THAT(verdict.why, HasSubstr("2 of 4 ranks have not come up"));
}

TEST_F(Four, RanksThatCameUpQuicklyOnceAreNotWaitedForTwoMinutesAgain) {
  run_until(5);
  EXPECT_EQ(detector_.limits().hello_limit(), 60);
  Detector next({}, detector_.limits(), 4, true, 0);
  for (int second = 1; second <= 61; ++second) {
    for (auto& r : nodes_[0].ranks) ++r.beats;
    next.beat(nodes_[0], second);
    EXPECT_EQ(next.look(second).kind == Kind::kFine, second < 60) << second;
  }
  EXPECT_THAT(next.look(61).why, HasSubstr("2 of 4 ranks have not come up in 1m01s"));
}

TEST_F(Four, OwnSleepIsNobodysDeath) {
  run_until(30);
  now_ += 3600;  // a suspended job
  EXPECT_EQ(detector_.look(now_).kind,
            Kind::kDead);  // the negative control: without slept() all would be dead
  detector_.slept(3600);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
}

TEST_F(Four, WhoSaidGoodbyeMaySayNothingMore) {
  run_until(30);
  works_ = false;
  silent_ = {1};
  rank(1).phase = Phase::kDone;
  NodeBeat last{"n1", -1, {rank(1)}};
  detector_.beat(last, now_);
  run_until(now_ + 20);
  EXPECT_EQ(detector_.look(now_).kind, Kind::kFine);
}

TEST(Detector, AStageWithoutStepsMayComputeForLong) {
  for (const bool has_steps : {false, true}) {
    Detector detector({}, PhaseLimits({}), 1, has_steps, 0);
    double now = 0;
    RankBeat beat{.rank = 0, .step = 1, .phase = Phase::kCompute, .step_seconds = 1};
    for (; now < 120; ++now) ++beat.beats, detector.beat({"n1", -1, {beat}}, now);
    EXPECT_EQ(detector.look(now).kind, has_steps ? Kind::kHang : Kind::kFine);
  }
}

TEST(Detector, TheTableOfAThousandRanksIsShortAndBeginsWithTheLaggard) {
  Detector detector({}, PhaseLimits({}), 1000, true, 0);
  NodeBeat node{"n1", -1, {}};
  for (int r = 0; r < 1000; ++r)
    node.ranks.push_back({.rank = r, .pid = r, .beats = 1, .collectives = r == 777 ? 5U : 6U});
  node.ranks[777].stack = "frame one\nframe two";
  detector.beat(node, 1);
  const std::string table = detector.table(2);
  EXPECT_THAT(table, AllOf(HasSubstr("and 976 ranks that are not further behind"), HasSubstr("frame two")));
  EXPECT_LT(table.find(" 777 "), table.find("frame one"));
}

}  // namespace
}  // namespace entrain::tests
