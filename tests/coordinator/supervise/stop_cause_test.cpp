// What a stop is called: no surer than it can be known.
#include "coordinator/supervise/stop_cause.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace entrain::tests {
namespace {

using supervise::JobSituation;
using supervise::own_stop_cause;
using supervise::stop_cause;

TEST(StopCause, OutsideAJobASignalIsASignal) {
  EXPECT_EQ(stop_cause(SIGTERM, {}), "SIGTERM");
  EXPECT_EQ(stop_cause(SIGUSR1, {}), "SIGUSR1");
  EXPECT_EQ(stop_cause(SIGINT, {}), "SIGINT: Ctrl-C");
  EXPECT_EQ(stop_cause(SIGHUP, {}), "SIGHUP: its terminal is gone");
}

TEST(StopCause, InAJobItIsTheLimitOrAPreemptionOrAPerson) {
  EXPECT_EQ(stop_cause(SIGTERM, {true, 7200, false}), "SIGTERM: preempted or cancelled");
  EXPECT_EQ(stop_cause(SIGTERM, {true, std::nullopt, false}), "SIGTERM: preempted or cancelled");
  EXPECT_EQ(stop_cause(SIGTERM, {true, -1, false}), "SIGTERM: the job's time limit is now");
  EXPECT_EQ(stop_cause(SIGUSR1, {true, 240, false}), "SIGUSR1: the job's time limit is in 4m00s");
  EXPECT_EQ(stop_cause(SIGUSR1, {true, std::nullopt, false}),
            "SIGUSR1: Slurm's warning before the job's end");
  EXPECT_EQ(stop_cause(SIGTERM, {true, 300, true}),
            "SIGTERM: the job's end was moved, it is in 5m00s: preempted, or a shorter limit");
}

TEST(StopCause, RanksThatStoppedByThemselvesCaughtASignalOrSawTheEnd) {
  EXPECT_EQ(own_stop_cause(SIGTERM, {true, 7200, false}), "SIGTERM: preempted or cancelled");
  EXPECT_EQ(own_stop_cause(0, {true, 58, false}), "the job's time limit is in 58s");
  EXPECT_EQ(own_stop_cause(0, {}), "");
}

}  // namespace
}  // namespace entrain::tests
