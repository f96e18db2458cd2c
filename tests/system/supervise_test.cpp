// `entrain run` with real ranks: whatever is killed or stopped, training goes on by itself, to the same weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "configs/cat.hpp"
#include "coordinator/supervise/control_file.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

using supervise::ControlFile;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Clock = std::chrono::steady_clock;

// Long enough to be hit, the same steps whatever the length.
constexpr const char* kLong =
    " schedule.name=constant schedule.warmup_steps=0 batch.lanes=4 batch.lane_images=1 "
    "checkpoint.every=20steps";

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

class Supervised : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    small_ = new SmallRun;
    for (const int steps : {kSteps}) {
      const Ran ran = run(small_->pretrain(1, "reference", cat("train.steps=", steps, kLong)), 200);
      if (ran.code != 0) throw std::runtime_error(ran.output);
    }
  }
  static void TearDownTestSuite() { delete small_; }
  void TearDown() override { run(cat("pkill -KILL -f 'run.dir=", small_->folder(), "'")); }

  static constexpr int kSteps = 300;
  static std::string command(const std::string& name, int ranks, const std::string& more = "") {
    return small_->supervised(ranks, name, cat("train.steps=", kSteps, kLong, ' ', more));
  }
  static std::vector<nlohmann::json> events(const std::string& name) {
    std::vector<nlohmann::json> all;
    std::istringstream lines(run(cat("cat ", small_->dir(name), "/events.jsonl")).output);
    for (std::string line; std::getline(lines, line);) {
      auto json = nlohmann::json::parse(line, nullptr, false);
      if (json.is_object()) all.push_back(std::move(json));
    }
    return all;
  }
  static long count(const std::string& name, const std::string& kind) {
    long n = 0;
    for (const auto& event : events(name)) n += event.at("kind") == kind;
    return n;
  }
  // Waits until there are so many events of a kind; false after a minute.
  static bool wait_for(const std::string& name, const std::string& kind, long times) {
    for (const auto began = Clock::now(); seconds_since(began) < 60;) {
      if (count(name, kind) >= times) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
  static void ends_like_the_undisturbed_run(Command& supervisor, const std::string& name) {
    const Ran ran = supervisor.wait(150);
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(small_->digest(name), small_->digest("reference"));
    const Ran audit = run("entrain audit " + small_->dir(name));
    EXPECT_EQ(audit.code, 0) << audit.output;
    EXPECT_TRUE(std::filesystem::exists(small_->dir(name) + "/DONE"));
  }

  static SmallRun* small_;
};
SmallRun* Supervised::small_ = nullptr;

// Seconds from `what` to the event that tells of it, and to training again.
void report(const std::string& what, double noticed, double training) {
  std::cout << what << ": noticed after " << noticed << " s, training again after " << training << " s\n";
}

struct Blow {
  const char* name;
  int signal, rank;  ///< rank -1: the launcher
  const char* told;  ///< the event that tells of it
};

class Blows : public Supervised, public testing::WithParamInterface<Blow> {};

TEST_P(Blows, AreRecoveredFromByItself) {
  const Blow blow = GetParam();
  const std::string name = blow.name;
  Command supervisor(command(name, 3));
  ASSERT_GE(small_->wait_for_step(name, 20), 20);
  ASSERT_TRUE(wait_for(name, "training", 1));
  const pid_t victim = blow.rank >= 0
                           ? small_->worker_pid(name, blow.rank)
                           : static_cast<pid_t>(ControlFile::read(small_->dir(name))->launcher_pid);
  ASSERT_GT(victim, 0);
  const auto began = Clock::now();
  ASSERT_EQ(::kill(victim, blow.signal), 0);
  ASSERT_TRUE(wait_for(name, blow.told, 1)) << run("cat " + small_->dir(name) + "/events.jsonl").output;
  const double noticed = seconds_since(began);
  ASSERT_TRUE(wait_for(name, "training", 2)) << run("cat " + small_->dir(name) + "/events.jsonl").output;
  report(name, noticed, seconds_since(began));
  ends_like_the_undisturbed_run(supervisor, name);
  EXPECT_EQ(count(name, "launch"), 2);
  EXPECT_EQ(count(name, "exit"), 1);
  if (blow.signal != SIGKILL || blow.rank < 0) return;
  std::string why;
  for (const auto& event : events(name))
    if (event.at("kind") == "exit") why = event.at("text");
  EXPECT_THAT(why, HasSubstr(cat("rank ", blow.rank, " (pid ", victim, " on ")));
}
INSTANTIATE_TEST_SUITE_P(OfEveryKind, Blows,
                         testing::Values(Blow{"killed-rank-1", SIGKILL, 1, "exit"},
                                         Blow{"killed-rank-0", SIGKILL, 0, "exit"},
                                         Blow{"stopped-rank-2", SIGSTOP, 2, "dead"},
                                         Blow{"stopped-rank-0", SIGSTOP, 0, "dead"},
                                         Blow{"killed-launcher", SIGKILL, -1, "exit"}),
                         [](const auto& blow) {
                           std::string name = blow.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(Supervised, AKilledSupervisorIsReplacedWhileTrainingGoesOn) {
  const std::string name = "killed-supervisor";
  Command first(command(name, 2));
  ASSERT_GE(small_->wait_for_step(name, 20), 20);
  first.signal(SIGKILL);
  EXPECT_EQ(first.wait(10).code, 128 + SIGKILL);
  const long then = newest_step(small_->dir(name));
  ASSERT_GT(small_->wait_for_step(name, then + 20), then) << "training does not go on without a supervisor";
  Command second(command(name, 2));
  ASSERT_TRUE(wait_for(name, "adopt", 1));
  ends_like_the_undisturbed_run(second, name);
  EXPECT_EQ(count(name, "launch"), 1) << "the same generation to the end";
}

TEST_F(Supervised, AReplacedSupervisorStillRecovers) {
  const std::string name = "killed-both";
  Command first(command(name, 2));
  ASSERT_GE(small_->wait_for_step(name, 20), 20);
  first.signal(SIGKILL);
  first.wait(10);
  Command second(command(name, 2));
  ASSERT_TRUE(wait_for(name, "training", 2));  // said by both supervisors
  ::kill(small_->worker_pid(name, 1), SIGKILL);
  ends_like_the_undisturbed_run(second, name);
  EXPECT_EQ(count(name, "launch"), 2);
}

TEST_F(Supervised, SignalsCommitAndTheSameCommandGoesOn) {
  const std::string name = "signals";
  for (const int signal : {SIGTERM, SIGUSR1, SIGINT}) {
    Command supervisor(command(name, 2));
    ASSERT_TRUE(wait_for(name, "training", signal == SIGTERM ? 1 : signal == SIGUSR1 ? 2 : 3));
    supervisor.signal(signal);
    const Ran ran = supervisor.wait(60);
    EXPECT_EQ(ran.code, 75) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("and committed after step"));
  }
  Command last(command(name, 3));  // on another number of ranks
  ends_like_the_undisturbed_run(last, name);
}

TEST_F(Supervised, ASecondSupervisorIsRefused) {
  const std::string name = "second";
  Command first(command(name, 2));
  ASSERT_TRUE(wait_for(name, "training", 1));
  const Ran second = run(command(name, 2));
  EXPECT_EQ(second.code, 78) << second.output;
  EXPECT_THAT(second.output, HasSubstr("in use by process"));
  const Ran bare = run(small_->pretrain(2, name, cat("train.steps=", kSteps, kLong)));
  EXPECT_EQ(bare.code, 78) << bare.output;
  ends_like_the_undisturbed_run(first, name);
}

TEST_F(Supervised, WhatCannotWorkEndsAtOnceWithItsOwnCode) {
  const auto ends = [&](const std::string& more, int code, const std::string& text) {
    const Ran ran = run(small_->supervised(2, cat("wrong", code), more));
    EXPECT_EQ(ran.code, code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(text));
  };
  ends("optim.lr=x", 64, "optim.lr");
  ends("data.files=/no/such.h5", 65, "/no/such.h5");
  ends("batch.lanes=1", 78, "at most one rank per lane");
  ends("optim.name=sgd optim.lr=1000000 schedule.name=constant schedule.warmup_steps=0 schedule.scaling=none",
       90, "loss is");
  EXPECT_EQ(count("wrong65", "launch"), 1);
}

TEST_F(Supervised, AfterThreeFailuresWithoutACommitItGivesUp) {
  const std::string name = "hopeless";
  Command supervisor(small_->supervised(2, name,
                                        "train.steps=100000 schedule.name=constant schedule.warmup_steps=0 "
                                        "batch.lanes=4 batch.lane_images=1 checkpoint.every=1h"));
  for (int generation = 1; generation <= 3; ++generation) {
    ASSERT_TRUE(wait_for(name, "launch", generation));
    pid_t rank = 0;
    for (int i = 0; i < 600 && rank <= 0; ++i) {
      rank = small_->worker_pid(name, 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_GT(rank, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    ::kill(rank, SIGKILL);
  }
  const Ran ran = supervisor.wait(60);
  EXPECT_EQ(ran.code, 93) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("3 generations in a row failed without a new commit"));
  EXPECT_FALSE(std::filesystem::exists(small_->dir(name) + "/DONE"));
}

// ENTRAIN_SCHEDULES=200 for more.
TEST_F(Supervised, RandomBlowsNeverHangAndNeverChangeTheWeights) {
  const char* wanted = std::getenv("ENTRAIN_SCHEDULES");
  const int schedules = wanted == nullptr ? 2 : std::atoi(wanted);
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  int blows = 0, hopeless = 0;
  for (int schedule = 0; schedule < schedules; ++schedule) {
    const std::string name = cat("random", schedule);
    const int world = 1 + static_cast<int>(random() % 4);
    SCOPED_TRACE(cat("seed ", seed, ", schedule ", schedule, ", ", world, " ranks"));
    auto supervisor = std::make_unique<Command>(command(name, world));
    Ran ran;
    for (int blow = 0; blow < 3; ++blow) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1500 + random() % 3000));
      const unsigned kind = random() % 4;
      if (kind == 3) {
        supervisor->signal(SIGKILL);
        supervisor->wait(10);
        supervisor = std::make_unique<Command>(command(name, world));
      } else {
        const pid_t rank = small_->worker_pid(name, static_cast<int>(random() % world));
        if (rank > 0) blows += ::kill(rank, kind == 2 ? SIGSTOP : SIGKILL) == 0;
      }
    }
    ran = supervisor->wait(600);  // on a machine with other work
    ASSERT_TRUE(ran.code == 0 || ran.code == 93) << ran.output;
    if (ran.code == 93) {  // three blows before the first commit
      ++hopeless;
      continue;
    }
    EXPECT_EQ(small_->digest(name), small_->digest("reference"));
    EXPECT_EQ(run("entrain audit " + small_->dir(name)).code, 0);
  }
  EXPECT_GT(blows, 0);
  std::cout << schedules << " schedules, " << blows << " blows to ranks, " << hopeless << " runs given up\n";
}

}  // namespace
}  // namespace entrain::tests
