#include "sharding/sample_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "configs/error.hpp"
#include "configs/lanes.hpp"

namespace entrain::tests {
namespace {
using sharding::SamplePlan;
using sharding::Slot;

// All steps that touch the first `epochs` epochs, checked: every sample once per epoch, epochs in order, no sample
// twice in a batch. Returns the number of batches that straddle two epochs.
int check_plan(std::int64_t num_samples, std::int64_t batch, std::int64_t epochs, std::uint64_t seed) {
  const SamplePlan plan(num_samples, batch, seed);
  std::vector<std::vector<std::int64_t>> seen(static_cast<std::size_t>(epochs));
  int straddling = 0;
  std::int64_t last_epoch = 0;
  for (std::int64_t step = 0; step * batch < epochs * num_samples; ++step) {
    const auto slots = plan.batch(step);
    EXPECT_EQ(static_cast<std::int64_t>(slots.size()), batch);
    std::set<std::int64_t> in_batch;
    for (const Slot& s : slots) {
      in_batch.insert(s.sample);
      EXPECT_GE(s.epoch, last_epoch);
      last_epoch = s.epoch;
      if (s.epoch < epochs) seen[static_cast<std::size_t>(s.epoch)].push_back(s.sample);
    }
    EXPECT_EQ(in_batch.size(), slots.size()) << "N " << num_samples << " G " << batch << " step " << step;
    straddling += slots.front().epoch != slots.back().epoch;
  }
  for (auto& samples : seen) {
    std::sort(samples.begin(), samples.end());
    EXPECT_EQ(static_cast<std::int64_t>(samples.size()), num_samples);
    for (std::size_t i = 0; i < samples.size(); ++i) EXPECT_EQ(samples[i], static_cast<std::int64_t>(i));
  }
  return straddling;
}

TEST(SamplePlan, EverySampleOncePerEpochAndNoneTwiceInABatch) {
  int pairs = 0, straddling = 0;
  for (std::int64_t n = 1; n <= 90; ++n)
    for (std::int64_t g = 1; g <= n; ++g, ++pairs) {
      straddling += check_plan(n, g, 5, static_cast<std::uint64_t>(n));
      if (::testing::Test::HasFailure()) FAIL() << "at N " << n << " G " << g;
    }
  EXPECT_EQ(pairs, 4095);
  EXPECT_GT(straddling, 4000) << "batches over two epochs are what can go wrong";
}

TEST(SamplePlan, AlsoAtUsualSizes) {
  for (const auto& [n, g] :
       {std::pair{5824, 256}, {1000, 256}, {700, 256}, {257, 256}, {511, 256}, {513, 256}, {4097, 64}})
    EXPECT_GT(check_plan(n, g, 12, 7), 0);
}

TEST(SamplePlan, IsABijectionForEverySmallSize) {
  for (std::int64_t n = 1; n <= 200; ++n) EXPECT_EQ(check_plan(n, 1, 3, 1), 0);
}

// Without the exchange the last samples of one epoch may open the next: the stream of raw permutations, cut into
// batches, then repeats a sample. This is that stream, taken from a plan of batches of one.
TEST(SamplePlan, WithoutTheExchangeASampleWouldStandTwiceInABatch) {
  constexpr std::int64_t kN = 10, kG = 8;
  const SamplePlan raw(kN, 1, 3), plan(kN, kG, 3);
  int repeated_raw = 0, repeated = 0;
  for (std::int64_t step = 0; step < 50; ++step) {
    std::set<std::int64_t> in_raw, in_plan;
    for (std::int64_t i = 0; i < kG; ++i) in_raw.insert(raw.batch(step * kG + i)[0].sample);
    for (const Slot& s : plan.batch(step)) in_plan.insert(s.sample);
    repeated_raw += in_raw.size() < kG;
    repeated += in_plan.size() < kG;
  }
  EXPECT_GT(repeated_raw, 20);
  EXPECT_EQ(repeated, 0);
}

TEST(SamplePlan, RanksOfAnyNumberSeeTogetherWhatOneSees) {
  constexpr std::int64_t kLanes = 8, kLaneImages = 3;
  const SamplePlan plan(100, kLanes * kLaneImages, 11);
  for (std::int64_t step = 0; step < 20; ++step) {
    const auto whole = plan.batch(step);
    for (std::int64_t world = 1; world <= kLanes; ++world) {
      std::vector<Slot> together;
      for (std::int64_t rank = 0; rank < world; ++rank) {
        const LaneBlock mine = lanes_of(rank, world, kLanes);
        const auto part = SamplePlan(100, kLanes * kLaneImages, 11)
                              .batch(step, mine.first * kLaneImages, mine.count * kLaneImages);
        together.insert(together.end(), part.begin(), part.end());
      }
      ASSERT_EQ(together, whole) << "world " << world;
    }
  }
}

TEST(SamplePlan, AStepDoesNotDependOnTheStepsAskedBefore) {
  for (const std::int64_t n : {300, 400, 1000}) {  // chained and not
    const SamplePlan forward(n, 256, 5), backward(n, 256, 5);
    std::map<std::int64_t, std::vector<Slot>> batches;
    for (std::int64_t step = 0; step < 40; ++step) batches[step] = forward.batch(step);
    for (std::int64_t step = 39; step >= 0; --step)
      ASSERT_EQ(backward.batch(step), batches[step]) << "N " << n << " step " << step;
    EXPECT_EQ(SamplePlan(n, 256, 5).batch(1'000'003), forward.batch(1'000'003));
  }
}

TEST(SamplePlan, SeedsAndEpochsGiveOtherOrders) {
  const SamplePlan a(1000, 100, 1), b(1000, 100, 2);
  int same_seed = 0, same_epoch = 0;
  for (std::int64_t i = 0; i < 100; ++i) {
    same_seed +=
        a.batch(0)[static_cast<std::size_t>(i)].sample == b.batch(0)[static_cast<std::size_t>(i)].sample;
    same_epoch +=
        a.batch(0)[static_cast<std::size_t>(i)].sample == a.batch(10)[static_cast<std::size_t>(i)].sample;
  }
  EXPECT_LT(same_seed, 5);
  EXPECT_LT(same_epoch, 5);
  EXPECT_NE(a.digest(), b.digest());
  EXPECT_EQ(a.digest(), SamplePlan(1000, 100, 1).digest());
  EXPECT_NE(a.digest(), SamplePlan(1000, 50, 1).digest());
}

// Chi-squared of "which sample comes first" over epochs, and of "where does sample 0 come".
TEST(SamplePlan, OrdersAreUniform) {
  for (const std::int64_t n : {5, 12, 97}) {
    const std::int64_t epochs = 400 * n;
    const SamplePlan plan(n, 1, 9);
    std::vector<double> first(static_cast<std::size_t>(n)), place(static_cast<std::size_t>(n));
    for (std::int64_t e = 0; e < epochs; ++e) {
      ++first[static_cast<std::size_t>(plan.batch(e * n)[0].sample)];
      std::int64_t p = 0;
      while (plan.batch(e * n + p)[0].sample != 0) ++p;
      ++place[static_cast<std::size_t>(p)];
      if (n > 50 && e > 8000) break;
    }
    for (const auto& counts : {first, place}) {
      double total = 0, chi = 0;
      for (const double c : counts) total += c;
      const double expected = total / static_cast<double>(n);
      for (const double c : counts) chi += (c - expected) * (c - expected) / expected;
      const double df = static_cast<double>(n - 1);
      EXPECT_LT(chi, df + 5 * std::sqrt(2 * df) + 6) << "N " << n;
    }
  }
}

TEST(SamplePlan, ACorpusSmallerThanABatchIsRefusedWithBothNumbers) {
  try {
    SamplePlan(100, 128, 0);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("100"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("128"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("batch.lanes"), std::string::npos);
  }
}

TEST(SamplePlan, TenMillionSamplesStartAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  const SamplePlan plan(10'000'000, 4096, 1);
  std::set<std::int64_t> seen;
  for (const std::int64_t step : {0L, 2441L, 2442L, 500'000L})  // 2441 straddles epochs 0 and 1
    for (const Slot& s : plan.batch(step)) seen.insert(s.sample);
  EXPECT_EQ(plan.batch(2441).front().epoch, 0);
  EXPECT_EQ(plan.batch(2441).back().epoch, 1);
  EXPECT_GT(seen.size(), 16'300U);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 10.0);
}

}  // namespace
}  // namespace entrain::tests
