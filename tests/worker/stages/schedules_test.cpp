// Random schedules of mishaps, resumes and changes of the number of ranks: whatever happens, the run ends with the
// weights of the undisturbed one, and its ledger proves that each sample was trained on once per epoch.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "checkpoint/find.hpp"
#include "checkpoint/ledger.hpp"
#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/sha256.hpp"
#include "coordinator/audit.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/worker/stages/mini_run.hpp"

namespace entrain::tests {
namespace {

std::string weights(const std::string& dir) {
  const auto found = checkpoint::open_checkpoint(dir);
  return cat(found.step, ' ', checkpoint::weights_digest(checkpoint::CheckpointReader(found.dir).tensors()));
}

std::string undisturbed(bool forbid) {
  const TemporaryFolder folder;
  MiniRun run{folder.path()};
  run.forbid = forbid;
  if (!run_generation(run, 1)) return "failed";
  return weights(folder.path());
}

Mishap draw_mishap(std::mt19937& random, int world) {
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % n); };
  Mishap mishap;
  if (below(3) == 0) {
    mishap.rank = static_cast<int>(below(world));
    mishap.step = 1 + below(24);
  } else {  // rank 0 writes all of so small a state
    mishap.rank = 0;
    mishap.operation = below(50);
    constexpr Fault kFaults[] = {Fault::kPower, Fault::kPower, Fault::kFail, Fault::kDelay};
    mishap.fault = kFaults[below(4)];
  }
  return mishap;
}

struct Tally {
  int generations = 0, mishaps = 0, changes_of_world = 0;
};

void one_schedule(std::uint32_t seed, const std::string& want, bool forbid, Tally& tally) {
  std::mt19937 random(seed);
  const TemporaryFolder folder;
  MiniRun run{folder.path()};
  run.forbid = forbid;
  run.every = cat(1 + random() % 5, "steps");
  run.waits = random() % 2 == 0;
  int world = 0;
  for (int generation = 0;; ++generation) {
    ASSERT_LT(generation, 50) << "no end, seed " << seed;
    const int before = world;
    world = 1 + static_cast<int>(random() % 8);
    tally.changes_of_world += before != 0 && before != world;
    ++tally.generations;
    const bool quiet = generation >= 2 + static_cast<int>(random() % 4);
    if (run_generation(run, world, quiet ? Mishap{} : draw_mishap(random, world))) break;
    ++tally.mishaps;
  }
  EXPECT_EQ(weights(folder.path()), want) << "seed " << seed;
  const auto report = coordinator::audit_run({.run = folder.path(), .groups = {}, .threads = 1});
  EXPECT_EQ(report.last_step, 24) << "seed " << seed;
  if (forbid) {  // its classes are not in a file: chain, path and checkpoints are checked, batches cannot be
    EXPECT_TRUE(report.wrong.empty()) << report.wrong[0] << ", seed " << seed;
  } else {
    EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report) << "seed " << seed;
    EXPECT_GE(report.checked_steps, 24);
  }
}

class Schedules : public testing::TestWithParam<int> {};

TEST_P(Schedules, EndWithTheWeightsOfTheUndisturbedRun) {
  constexpr int kEach = 125;
  const bool forbid = GetParam() >= 8;
  const std::string want = undisturbed(forbid);
  ASSERT_EQ(want.rfind("24 ", 0), 0U) << want;
  Tally tally;
  for (int i = 0; i < kEach && !HasFailure(); ++i)
    one_schedule(static_cast<std::uint32_t>(GetParam() * kEach + i), want, forbid, tally);
  EXPECT_GT(tally.mishaps, kEach) << "too little went wrong to prove anything";
  EXPECT_GT(tally.changes_of_world, kEach);
}

INSTANTIATE_TEST_SUITE_P(OfThousand, Schedules, testing::Range(0, 8));  // every batch audited
INSTANTIATE_TEST_SUITE_P(Forbid, Schedules, testing::Range(8, 10));

// SHA-256 of all tensors, also of those that are no weights.
std::string everything(const std::string& dir) {
  const checkpoint::CheckpointReader reader(checkpoint::open_checkpoint(dir).dir);
  Sha256 sha;
  for (const auto& [name, tensor] : reader.tensors()) sha.add({tensor.data, tensor.bytes()});
  return sha.hex();
}

std::size_t num_shards(const std::string& dir) {
  return checkpoint::open_checkpoint(dir).manifest.at("files").size();
}

TEST(Resharding, EveryPairOfRankCountsReadsWhatTheOtherWrote) {
  const TemporaryFolder reference;
  MiniRun whole{reference.path()};
  whole.elements = 150'000;
  whole.every = "12steps";
  ASSERT_TRUE(run_generation(whole, 1));
  const std::string want = everything(whole.dir);
  ASSERT_EQ(num_shards(whole.dir), 1U);
  for (const int before : {1, 2, 3, 4, 8}) {
    for (const int after : {1, 2, 3, 4, 8}) {
      const TemporaryFolder folder;
      MiniRun run = whole;
      run.dir = folder.path();
      run.total_steps = 12;  // half of it on the one, half on the other
      ASSERT_TRUE(run_generation(run, before));
      EXPECT_EQ(num_shards(run.dir), static_cast<std::size_t>(before));
      EXPECT_NE(everything(run.dir), want);
      run.total_steps = 24;
      ASSERT_TRUE(run_generation(run, after));
      EXPECT_EQ(num_shards(run.dir), static_cast<std::size_t>(after));
      EXPECT_EQ(everything(run.dir), want) << before << " ranks, then " << after;
    }
  }
}

// One operation of the first commit takes 200 ms; twenty steps take far less. Training does not wait: it skips commits.
TEST(SlowDisk, TrainingGoesOnAndTheLastStepIsCommitted) {
  for (const std::int64_t operation : {2, 5, 9, 14}) {
    const TemporaryFolder folder;
    MiniRun run{folder.path()};
    run.every = "1step";
    ASSERT_TRUE(run_generation(run, 3, {.rank = 0, .operation = operation, .fault = Fault::kDelay}));
    EXPECT_EQ(weights(run.dir), undisturbed(false));
    const auto report = coordinator::audit_run({.run = run.dir, .groups = {}, .threads = 1});
    EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
    EXPECT_LT(report.commits.size(), 20U) << "24 steps, some of them while the commit was being written";
  }
}

TEST(Schedules, OtherDataGiveOtherWeights) { EXPECT_NE(undisturbed(false), undisturbed(true)); }

}  // namespace
}  // namespace entrain::tests
