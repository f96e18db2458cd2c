// What a run survives, and what it can prove afterwards: real MPI ranks, kill -9, changes of their number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <utility>

#include "configs/cat.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A constant learning rate: the same steps whatever the length of the run.
constexpr const char* kEndless =
    " schedule.name=constant schedule.warmup_steps=0 batch.lanes=4 batch.lane_images=1";

class Recovery : public testing::Test {
 protected:
  static void SetUpTestSuite() { small_ = new SmallRun; }
  static void TearDownTestSuite() { delete small_; }

  static SmallRun* small_;
};
SmallRun* Recovery::small_ = nullptr;

// ENTRAIN_KILLS=1000 kills more often.
int kills_wanted() {
  const char* wanted = std::getenv("ENTRAIN_KILLS");
  return wanted == nullptr ? 17 : std::atoi(wanted);
}

class Kills : public Recovery, public testing::WithParamInterface<int> {};

TEST_P(Kills, OfARandomRankAtARandomMomentLeaveNoTraceInTheWeights) {
  const std::string name = cat("killed", GetParam());
  std::mt19937 random(std::random_device{}());
  int kills = 0, worlds = 0, last_world = 0;
  for (int attempt = 0; kills < kills_wanted() && attempt < 3 * kills_wanted(); ++attempt) {
    const int world = 1 + static_cast<int>(random() % 4);
    Command victim(
        small_->pretrain(world, name, cat("train.steps=1000000 checkpoint.every=5steps", kEndless)));
    std::this_thread::sleep_for(std::chrono::milliseconds(700 + random() % 1200));
    const pid_t rank = small_->worker_pid(name, static_cast<int>(random() % world));
    if (rank <= 0) continue;  // killed before it was there: not counted
    ASSERT_EQ(::kill(rank, SIGKILL), 0);
    const Ran ran = victim.wait(20);
    ASSERT_NE(ran.code, -1) << "not ended 20 s after the kill\n" << ran.output;
    ASSERT_NE(ran.code, 0);
    ++kills;
    worlds += world != last_world;
    last_world = world;
  }
  EXPECT_EQ(kills, kills_wanted());
  EXPECT_GT(worlds, kills / 3);
  const long reached = std::max(newest_step(small_->dir(name)), 0L);
  const std::string length = cat("train.steps=", reached + 8, kEndless);
  const Ran finished = run(small_->pretrain(2, name, length));
  ASSERT_EQ(finished.code, 0) << finished.output;
  if (reached > 0) {
    EXPECT_THAT(finished.output, HasSubstr("resume proven: "));
  }
  const Ran undisturbed = run(small_->pretrain(1, name + "-reference", length + " checkpoint.every=1h"), 200);
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.output;
  EXPECT_EQ(small_->digest(name), small_->digest(name + "-reference")) << reached << " steps";
  const Ran audit = run(cat("entrain audit ", small_->dir(name)));
  EXPECT_EQ(audit.code, 0) << audit.output;
  EXPECT_THAT(audit.output,
              AllOf(HasSubstr(cat("proven: steps 1 to ", reached + 8)), HasSubstr("exactly once")));
  std::cout << kills << " kills, " << reached << " steps\n";
}
INSTANTIATE_TEST_SUITE_P(FiftyOne, Kills, testing::Range(0, 3));

TEST_F(Recovery, OtherArithmeticIsCaughtByTheResumeProof) {
  ASSERT_EQ(run(small_->pretrain(2, "proof", "train.steps=10")).code, 0);
  std::filesystem::remove_all(small_->dir("proof") + "/checkpoints/step-00000010");
  const std::string other = "ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 ";
  const Ran stopped = run("export " + other + "; " + small_->pretrain(2, "proof", "train.steps=10"));
  EXPECT_EQ(stopped.code, 73) << stopped.output;
  EXPECT_THAT(
      stopped.output,
      AllOf(HasSubstr("step 1, computed again from the beginning on 2 ranks, is not what"),
            HasSubstr("the first tensor that differs is encoder."), HasSubstr("checkpoint.prove=warn")));
  const Ran warned =
      run("export " + other + "; " + small_->pretrain(2, "proof", "train.steps=10 checkpoint.prove=warn"));
  EXPECT_EQ(warned.code, 0) << warned.output;
  EXPECT_THAT(warned.output, AllOf(HasSubstr("warning: step 1, computed again"), HasSubstr("is not what")));
  std::filesystem::remove_all(small_->dir("proof") + "/checkpoints/step-00000010");
  const Ran same = run(small_->pretrain(3, "proof", "train.steps=10"));  // control: as it was written
  EXPECT_EQ(same.code, 0) << same.output;
  EXPECT_THAT(same.output, HasSubstr("resume proven: step 1, computed again from the beginning"));
}

TEST_F(Recovery, ACheckpointThatTwiceLedToANonFiniteLossIsPutAside) {
  // Every step multiplies the weights by -4 and more: after some dozens they are no numbers any more.
  const std::string spoils =
      "optim.name=sgd optim.lr=5 optim.weight_decay=1 schedule.name=constant "
      "schedule.warmup_steps=0 schedule.scaling=none train.steps=400 checkpoint.every=10steps";
  // The checkpoint behind which it diverges; where commits are slow the first runs may still get further.
  long step = -1;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const Ran ran = run(small_->pretrain(1 + attempt % 2, "spoilt", spoils));
    ASSERT_EQ(ran.code, 90) << ran.output;
    EXPECT_THAT(ran.output, Not(HasSubstr("passed over")));
    if (std::exchange(step, newest_step(small_->dir("spoilt"))) == step && attempt > 0) break;
  }
  ASSERT_GT(step, 1) << "it must diverge behind a checkpoint";
  const Ran verified = run("entrain verify " + small_->dir("spoilt"));
  EXPECT_EQ(verified.code, 73);
  EXPECT_THAT(verified.output, HasSubstr("training from it ended in a non-finite loss 2 times"));
  const Ran next = run(small_->pretrain(1, "spoilt", spoils));
  EXPECT_EQ(next.code, 90);  // deterministic: from the one before it comes to the same end
  EXPECT_THAT(next.output, AllOf(HasSubstr("passed over step-"), HasSubstr("checkpoints/quarantine-step-")));
}

TEST_F(Recovery, AWithdrawnPatientIsLeftOutFromThereOnAndTheLedgerShowsIt) {
  ASSERT_EQ(run(small_->pretrain(2, "withdrawn", cat("train.steps=15", kEndless))).code, 0);
  const std::string list = small_->dir("withdrawn.txt");
  write_file(list, "phantom-000000\n");
  const Ran resumed =
      run(small_->pretrain(3, "withdrawn", cat("train.steps=30 data.exclude_groups=", list, kEndless)));
  ASSERT_EQ(resumed.code, 0) << resumed.output;
  EXPECT_THAT(resumed.output, HasSubstr("other patients are left out from step 16 on"));
  const Ran audit = run(cat("entrain audit --group phantom-000000 ", small_->dir("withdrawn")));
  EXPECT_EQ(audit.code, 0) << audit.output;
  EXPECT_THAT(audit.output, AllOf(HasSubstr("left out by the START"), HasSubstr("proven: steps 1 to 30")));
  const Ran forgotten = run(small_->pretrain(2, "withdrawn", cat("train.steps=40", kEndless)));
  EXPECT_EQ(forgotten.code, 73) << forgotten.output;
  EXPECT_THAT(forgotten.output, HasSubstr("Set data.exclude_groups again"));
  write_file(list, "phantom-000001\n");  // back on purpose
  const Ran again =
      run(small_->pretrain(2, "withdrawn", cat("train.steps=40 data.exclude_groups=", list, kEndless)));
  ASSERT_EQ(again.code, 0) << again.output;
  EXPECT_EQ(run(cat("entrain audit ", small_->dir("withdrawn"))).code, 0);
}

TEST_F(Recovery, CheckpointsOrALedgerThatAreGoneAreNotPassedOverInSilence) {
  ASSERT_EQ(run(small_->pretrain(1, "gone", "train.steps=10")).code, 0);
  const std::string dir = small_->dir("gone");
  std::filesystem::rename(dir + "/checkpoints", dir + "/elsewhere");
  const Ran without = run(small_->pretrain(2, "gone", "train.steps=10"));
  EXPECT_EQ(without.code, 73) << without.output;
  EXPECT_THAT(without.output, HasSubstr("its ledger has commits up to step 10, but there is no checkpoint"));
  std::filesystem::remove_all(dir + "/checkpoints");
  std::filesystem::rename(dir + "/elsewhere", dir + "/checkpoints");

  ASSERT_EQ(run(small_->pretrain(1, "other", "train.steps=10 run.seed=9")).code, 0);
  const std::string mine = read_file(dir + "/ledger.jsonl");
  write_file(dir + "/ledger.jsonl", read_file(small_->dir("other") + "/ledger.jsonl"));
  const Ran foreign = run(small_->pretrain(2, "gone", "train.steps=10"));
  EXPECT_EQ(foreign.code, 73) << foreign.output;
  EXPECT_THAT(foreign.output,
              AllOf(HasSubstr("it was cut, or is of another run"), HasSubstr("mv ledger.jsonl")));
  const Ran verified = run("entrain verify " + dir);
  EXPECT_EQ(verified.code, 73);
  EXPECT_THAT(verified.output, HasSubstr("a resume refuses (73)"));

  std::filesystem::remove(dir + "/ledger.jsonl");  // as advised
  const Ran fresh = run(small_->pretrain(2, "gone", "train.steps=10"));
  EXPECT_EQ(fresh.code, 0) << fresh.output;
  EXPECT_THAT(fresh.output, HasSubstr("a new one begins, which proves nothing of the steps before"));
  EXPECT_EQ(run("entrain audit " + dir).code, 73);
  write_file(dir + "/ledger.jsonl", mine);
  EXPECT_EQ(run("entrain audit " + dir).code, 0);
  EXPECT_EQ(run(small_->pretrain(2, "gone", "train.steps=10")).code, 0);
}

TEST_F(Recovery, WeightsBringAlongWhomTheyHaveSeen) {
  const std::string list = small_->dir("left-out.txt");
  write_file(list, "phantom-000000\n");
  ASSERT_EQ(run(small_->pretrain(1, "parent", "train.steps=4")).code, 0);
  const auto child = [&](const std::string& name, const std::string& more) {
    return run(small_->pretrain(2, name, cat("train.steps=6 data.exclude_groups=", list, ' ', more)));
  };
  const Ran born = child("child", cat("init.from=", small_->dir("parent")));
  ASSERT_EQ(born.code, 0) << born.output;
  EXPECT_THAT(born.output, HasSubstr("have seen 1 of the groups of data.exclude_groups"));
  ASSERT_EQ(child("orphan", "").code, 0);
  const Ran audit = run(cat("entrain audit --group phantom-000000 ", small_->dir("child")));
  EXPECT_EQ(audit.code, 0) << audit.output;
  EXPECT_THAT(audit.output, AllOf(HasSubstr("seen by the weights it began from"),
                                  HasSubstr(cat("did not", std::string(21, ' '), "none"))));
  const Ran control = run(cat("entrain audit --group phantom-000000 ", small_->dir("orphan")));
  EXPECT_THAT(control.output,
              AllOf(HasSubstr(cat("saw it", std::string(22, ' '), "none")), Not(HasSubstr("began from"))));
}

TEST_F(Recovery, AChangedLedgerStopsTheRunAndTheAudit) {
  ASSERT_EQ(run(small_->pretrain(1, "changed", "train.steps=10")).code, 0);
  const std::string ledger = small_->dir("changed") + "/ledger.jsonl";
  std::string text = read_file(ledger);
  const auto at = text.find("\"loss\":[\"");
  ASSERT_NE(at, std::string::npos);
  text[at + 12] = text[at + 12] == '0' ? '1' : '0';
  write_file(ledger, text);
  const Ran audit = run(cat("entrain audit ", small_->dir("changed")));
  EXPECT_EQ(audit.code, 73);
  EXPECT_THAT(audit.output, HasSubstr("ledger.jsonl:2"));
  const Ran resumed = run(small_->pretrain(1, "changed", "train.steps=10"));
  EXPECT_EQ(resumed.code, 73) << resumed.output;
  EXPECT_THAT(resumed.output, HasSubstr("ledger.jsonl"));
}

TEST_F(Recovery, SameGroupForbidAndMaskGiveTheSameWeightsOnAnyNumberOfRanks) {
  for (const std::string rule : {"forbid", "mask"}) {
    for (const int ranks : {1, 3})
      ASSERT_EQ(run(small_->pretrain(ranks, cat(rule, ranks),
                                     "train.steps=8 batch.lane_images=2 batch.same_group=" + rule))
                    .code,
                0);
    EXPECT_EQ(small_->digest(rule + "1"), small_->digest(rule + "3")) << rule;
    EXPECT_EQ(run(cat("entrain audit ", small_->dir(rule + "3"))).code, 0);
  }
  EXPECT_NE(small_->digest("forbid1"), small_->digest("mask1"));
}

TEST_F(Recovery, TheEndOfTheJobIsCommittedBeforeItComes) {
  const Ran ran =
      run("export SLURM_JOB_END_TIME=$(($(date +%s) + 40)); " +
          small_->pretrain(2, "deadline", cat("train.steps=1000000 checkpoint.every=1h", kEndless)));
  EXPECT_EQ(ran.code, 75) << ran.output;
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("the job ends in "), HasSubstr("stopped by the end of the job in ")));
  EXPECT_GT(newest_step(small_->dir("deadline")), 10);
}

}  // namespace
}  // namespace entrain::tests
