// The whole program as a user starts it: real MPI ranks, real files, real signals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "configs/cat.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

class Pretrain : public testing::Test {
 protected:
  static void SetUpTestSuite() { small_ = new SmallRun; }
  static void TearDownTestSuite() { delete small_; }

  // The digest of the uninterrupted run on one rank.
  static std::string reference() {
    static const std::string digest = [] {
      const Ran ran = run(small_->pretrain(1, "one"));
      if (ran.code != 0) throw std::runtime_error(ran.output);
      const std::string text = small_->digest("one");
      if (text.find("  step-00000020") != 64)
        throw std::runtime_error("want sha256, two spaces, step: " + text);
      return text;
    }();
    return digest;
  }

  static void wait_for_step(const std::string& name, long step) {
    ASSERT_GE(small_->wait_for_step(name, step), step);
  }
  static pid_t worker_pid(const std::string& name, int rank) { return small_->worker_pid(name, rank); }

  static SmallRun* small_;
};
SmallRun* Pretrain::small_ = nullptr;

TEST_F(Pretrain, SameWeightsOnTwoThreeAndFourRanks) {
  for (const int ranks : {2, 3, 4}) {
    const std::string name = cat("ranks", ranks);
    const Ran ran = run(small_->pretrain(ranks, name));
    ASSERT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(small_->digest(name), reference()) << ranks << " ranks";
  }
}

TEST_F(Pretrain, SameWeightsOnAnyNumberOfThreads) {
  ASSERT_EQ(run(small_->pretrain(1, "threads", "run.threads=3")).code, 0);
  EXPECT_EQ(small_->digest("threads"), reference());
}

TEST_F(Pretrain, AnotherSeedGivesOtherWeights) {  // control: the digest can tell runs apart
  ASSERT_EQ(run(small_->pretrain(2, "seed", "run.seed=99")).code, 0);
  EXPECT_NE(small_->digest("seed"), reference());
}

TEST_F(Pretrain, OtherLanesGiveOtherBits) {  // control: without the fixed lanes the sums differ
  ASSERT_EQ(run(small_->pretrain(1, "lanes", "batch.lanes=2 batch.lane_images=8")).code, 0);
  EXPECT_NE(small_->digest("lanes"), reference());
}

TEST_F(Pretrain, KilledAtARandomMomentAndResumedOnOtherRanksEndsWithTheSameWeights) {
  std::random_device seed;
  for (int trial = 0; trial < 2; ++trial) {
    const std::string name = cat("killed", trial);
    Command victim(small_->pretrain(2, name, "checkpoint.every=2steps"));
    wait_for_step(name, 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(seed() % 300));
    const pid_t rank = worker_pid(name, trial % 2);
    if (rank > 0) ::kill(rank, SIGKILL);
    const Ran killed = victim.wait();
    const Ran resumed = run(small_->pretrain(trial == 0 ? 3 : 1, name));
    ASSERT_EQ(resumed.code, 0) << killed.output << resumed.output;
    if (killed.code != 0) {
      EXPECT_THAT(resumed.output, HasSubstr("resumes from"));
    }
    EXPECT_EQ(small_->digest(name), reference()) << killed.output << resumed.output;
  }
}

TEST_F(Pretrain, ADeadRankIsNamedByTheOthersAndEndsThemWithinTenSeconds) {
  Command victim(small_->pretrain(3, "dead", "train.steps=100000"));
  wait_for_step("dead", 5);
  const pid_t rank = worker_pid("dead", 1);
  ASSERT_GT(rank, 0);
  ASSERT_EQ(::kill(rank, SIGKILL), 0);
  const Ran ran = victim.wait(10);
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.code, -1) << "still running after 10 s";
  EXPECT_THAT(ran.output, HasSubstr("rank 1 (pid"));
}

TEST_F(Pretrain, ASignalToOneRankCommitsTheSameStepOnAllAndExits75) {
  for (const int signal : {SIGTERM, SIGUSR1}) {
    const std::string name = cat("signal", signal);
    Command stopped(small_->pretrain(2, name, "checkpoint.every=1000steps train.steps=2000"));
    for (int i = 0; i < 1500 && !std::filesystem::exists(small_->dir(name) + "/metrics.jsonl"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const pid_t rank = worker_pid(name, 1);
    ASSERT_GT(rank, 0);
    ASSERT_EQ(::kill(rank, signal), 0);
    const Ran ran = stopped.wait(60);
    EXPECT_EQ(ran.code, 75) << ran.output;
    EXPECT_GT(newest_step(small_->dir(name)), 0);
    EXPECT_THAT(ran.output, HasSubstr("exit 75"));
  }
}

TEST_F(Pretrain, AFlippedBitFallsBackToTheCheckpointBeforeAndSaysSo) {
  ASSERT_EQ(run(small_->pretrain(2, "flipped")).code, 0);
  const std::string shard = small_->dir("flipped") + "/checkpoints/step-00000020/shard-0000.safetensors";
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(1000000);
    const int byte = file.get();
    file.seekp(1000000);
    file.put(static_cast<char>(byte ^ 4));
    ASSERT_TRUE(file.good());
  }
  std::filesystem::rename(small_->dir("flipped") + "/checkpoints/step-00000020",
                          small_->dir("flipped") + "/aside");
  const long before =
      newest_step(small_->dir("flipped"));  // a busy machine does not get round to every commit
  std::filesystem::rename(small_->dir("flipped") + "/aside",
                          small_->dir("flipped") + "/checkpoints/step-00000020");
  ASSERT_GT(before, 0);
  const Ran resumed = run(small_->pretrain(2, "flipped"));
  EXPECT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_THAT(resumed.output, HasSubstr("passed over step-00000020"));
  EXPECT_THAT(resumed.output, HasSubstr(cat(before, ", the newest whole checkpoint")));
  EXPECT_EQ(small_->digest("flipped"), reference());
}

TEST_F(Pretrain, WhatCannotWorkIsRefusedWithOneLineAndItsCode) {
  struct Case {
    int ranks;
    std::string overrides;
    int code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {1, "views.crop_pixel=32", 64, "crop_pixels"},
      {2, "data.image=/imagse", 65, "/imagse"},
      {2, "data.files=/nowhere/x.h5", 65, "/nowhere/x.h5"},
      {4, "batch.lanes=2 batch.lane_images=8", 78, "at most one rank per lane"},
      {2, "optim.name=sgd optim.lr=1e6 optim.weight_decay=1 schedule.warmup_steps=0", 90,
       "no weight was changed by this step"},
  };
  for (const Case& c : cases) {
    const Ran ran = run(small_->pretrain(c.ranks, "refused", c.overrides));
    EXPECT_EQ(ran.code, c.code) << c.overrides << '\n' << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(c.says));
    const auto first = ran.output.find("] error: ");
    ASSERT_NE(first, std::string::npos) << ran.output;
    EXPECT_EQ(ran.output.find("] error: ", first + 1), std::string::npos) << "told more than once:\n"
                                                                          << ran.output;
    EXPECT_THAT(ran.output, Not(HasSubstr("HDF5-DIAG")));
    EXPECT_THAT(ran.output, Not(HasSubstr("MPI_ABORT was invoked")));
    std::filesystem::remove_all(small_->dir("refused"));
  }
}

TEST_F(Pretrain, AnotherCorpusOrAChangedKeyIsNotResumed) {
  ASSERT_EQ(run(small_->pretrain(1, "changed", "train.steps=5")).code, 0);
  const Ran key = run(small_->pretrain(1, "changed", "train.steps=5 method.temperature=0.5"));
  EXPECT_EQ(key.code, 73) << key.output;
  EXPECT_THAT(key.output, HasSubstr("method.temperature"));
  const std::string other = small_->dir("other.h5");
  ASSERT_EQ(run(cat("entrain ingest phantom --out ", other, " --images 100 --px 32 --seed 4")).code, 0);
  const Ran corpus = run(small_->pretrain(1, "changed", "train.steps=5 data.files=" + other));
  EXPECT_EQ(corpus.code, 73) << corpus.output;
  EXPECT_THAT(corpus.output, HasSubstr("corpus digest"));
}

TEST_F(Pretrain, AFolderThatCannotBeWrittenIsSaidAtOnce) {
  const Ran ran = run(small_->pretrain(2, "x/../../../../../../../proc/entrain"));
  EXPECT_EQ(ran.code, 73) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("] error: "));
}

TEST_F(Pretrain, ASecondRunInTheSameFolderIsRefused) {
  Command first(small_->pretrain(2, "twice", "train.steps=100000"));
  wait_for_step("twice", 5);
  const Ran second = run(small_->pretrain(1, "twice", "train.steps=100000"));
  EXPECT_EQ(second.code, 78) << second.output;
  EXPECT_THAT(second.output, HasSubstr("run.lock"));
}

}  // namespace
}  // namespace entrain::tests
