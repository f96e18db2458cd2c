// batch.same_group = forbid: batches in which no two samples are of one class.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/lanes.hpp"
#include "sharding/sample_plan.hpp"

namespace entrain::tests {
namespace {
using sharding::PlanSettings;
using sharding::SamplePlan;
using sharding::Slot;
using testing::AllOf;
using testing::HasSubstr;
using Classes = std::vector<std::uint32_t>;

// Classes of 1 to `largest` members, shuffled over the samples.
Classes random_classes(std::int64_t num_samples, std::uint32_t largest, std::uint32_t seed) {
  std::mt19937 random(seed);
  Classes classes;
  for (std::uint32_t c = 0; static_cast<std::int64_t>(classes.size()) < num_samples; ++c)
    for (auto m = static_cast<std::uint32_t>(1 + random() % largest);
         m > 0 && static_cast<std::int64_t>(classes.size()) < num_samples; --m)
      classes.push_back(c);
  std::shuffle(classes.begin(), classes.end(), random);
  return classes;
}

PlanSettings forbid(const Classes& classes, std::int64_t batch, std::uint64_t seed = 1) {
  return {static_cast<std::int64_t>(classes.size()), batch, seed, classes};
}

// Batches of the first steps that hold two samples of a class.
int clashes(const SamplePlan& plan, const Classes& classes, std::int64_t steps) {
  int batches = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    std::set<std::uint32_t> seen;
    for (const Slot& slot : plan.batch(step)) seen.insert(classes[static_cast<std::size_t>(slot.sample)]);
    batches += static_cast<std::int64_t>(seen.size()) != plan.global_batch();
  }
  return batches;
}

// Every sample once per epoch, carried ones in the next epoch at the latest; returns how many were carried.
std::int64_t check_epochs(const SamplePlan& plan, std::int64_t epochs) {
  std::map<std::int64_t, std::set<std::int64_t>> seen;
  std::int64_t carried = 0, slots = 0;
  for (std::int64_t step = 0; plan.epoch_of(step) <= epochs; ++step) {
    for (const Slot& slot : plan.batch(step)) {
      const std::int64_t late = plan.epoch_of(step) - slot.epoch;
      EXPECT_TRUE(late == 0 || late == 1) << late;
      carried += late;
      ++slots;
      EXPECT_TRUE(seen[slot.epoch].insert(slot.sample).second) << "twice in epoch " << slot.epoch;
    }
  }
  for (std::int64_t e = 0; e < epochs; ++e)
    EXPECT_EQ(static_cast<std::int64_t>(seen[e].size()), plan.num_samples()) << "epoch " << e;
  EXPECT_EQ(slots / plan.global_batch(), (epochs + 1) * plan.num_samples() / plan.global_batch());
  return carried;
}

TEST(GroupOrder, NoPairOfAClassInABatchAndEverySampleOncePerEpoch) {
  int structures = 0, allow_clashes = 0;
  std::int64_t carried = 0;
  std::mt19937 random(5);
  for (std::uint32_t trial = 0; trial < 400; ++trial) {
    const std::int64_t n = 20 + random() % 300, batch = 1 + random() % 16;
    const Classes classes = random_classes(n, 1 + trial % 6, trial);
    if (n / batch < 8) continue;  // more batches than the largest class has members
    if (static_cast<std::int64_t>(std::set(classes.begin(), classes.end()).size()) < batch) continue;
    const SamplePlan plan(forbid(classes, batch, trial));
    carried += check_epochs(plan, 6);
    EXPECT_EQ(clashes(plan, classes, 6 * n / batch), 0) << "N " << n << " G " << batch;
    allow_clashes += clashes(SamplePlan(n, batch, trial), classes, n / batch);
    ++structures;
    if (HasFailure()) FAIL() << "trial " << trial;
  }
  EXPECT_GT(structures, 250);
  EXPECT_GT(carried, 2000) << "leftovers are what can go wrong";
  EXPECT_GT(allow_clashes, 1000) << "control: the plan that knows no classes";
}

TEST(GroupOrder, AsLargeAClassAsThereAreBatches) {
  Classes classes(60);
  for (std::uint32_t i = 0; i < 60; ++i) classes[i] = i < 10 ? 0 : i - 9;  // 10 of one class, 10 batches of 6
  const SamplePlan plan(forbid(classes, 6));
  EXPECT_EQ(clashes(plan, classes, 100), 0);
  EXPECT_EQ(check_epochs(plan, 5), 0);
}

TEST(GroupOrder, APlanMadeForOtherClassesClashes) {  // control for clashes()
  const Classes classes = random_classes(200, 4, 1), others = random_classes(200, 4, 2);
  EXPECT_GT(clashes(SamplePlan(forbid(others, 16)), classes, 24), 5);
}

TEST(GroupOrder, RanksOfAnyNumberSeeTogetherWhatOneSeesInAnyOrder) {
  const Classes classes = random_classes(300, 5, 3);
  const SamplePlan plan(forbid(classes, 32));
  for (const std::int64_t step : {17L, 0L, 40L, 9L, 10L}) {
    const auto whole = SamplePlan(forbid(classes, 32)).batch(step);  // one that was never asked before
    EXPECT_EQ(plan.batch(step), whole);
    for (const int world : {2, 3, 5, 8}) {
      std::vector<Slot> together;
      for (int rank = 0; rank < world; ++rank) {
        const auto lanes = lanes_of(rank, world, 8);
        for (const Slot& slot : plan.batch(step, lanes.first * 4, lanes.count * 4)) together.push_back(slot);
      }
      EXPECT_EQ(together, whole) << world << " ranks";
    }
  }
}

TEST(GroupOrder, SeedsClassesAndEpochsGiveOtherOrders) {
  const Classes classes = random_classes(200, 3, 4);
  const SamplePlan plan(forbid(classes, 10));
  EXPECT_NE(plan.batch(0), plan.batch(20)) << "the first batches of epochs 0 and 1";
  EXPECT_NE(plan.batch(0), SamplePlan(forbid(classes, 10, 2)).batch(0));
  std::set<std::string> digests{plan.digest(), SamplePlan(forbid(classes, 10, 2)).digest(),
                                SamplePlan(forbid(random_classes(200, 3, 5), 10)).digest(),
                                SamplePlan(200, 10, 1).digest()};
  EXPECT_EQ(digests.size(), 4U);
  EXPECT_EQ(plan.classes_digest().size(), 64U);
}

// Another seed changes who meets whom, not only when.
TEST(GroupOrder, SeedsGiveOtherCompany) {
  Classes classes(200);  // of one each: no order inside a class
  std::iota(classes.begin(), classes.end(), 0U);
  const auto companies = [&](std::uint64_t seed) {
    std::set<std::set<std::int64_t>> all;
    for (std::int64_t step = 0; step < 20; ++step) {
      std::set<std::int64_t> company;
      for (const Slot& slot : SamplePlan(forbid(classes, 10, seed)).batch(step)) company.insert(slot.sample);
      all.insert(company);
    }
    return all;
  };
  const auto one = companies(1), other = companies(2);
  EXPECT_EQ(one.size(), 20U);
  for (const auto& company : one) EXPECT_FALSE(other.contains(company));
}

// The probe of the order sees a few samples; two others that change places must show too.
TEST(GroupOrder, ItsDigestCoversClassesThatTheProbeDoesNotSee) {
  Classes classes(2000);
  for (std::uint32_t i = 0; i < 2000; ++i) classes[i] = i;
  int unseen = 0;
  for (std::uint32_t i = 0; i < 20; i += 2) {
    Classes changed = classes;
    std::swap(changed[i], changed[i + 1]);
    const SamplePlan plan(forbid(classes, 10)), other(forbid(changed, 10));
    unseen += plan.batch(200) == other.batch(200);
    EXPECT_NE(plan.digest(), other.digest());
  }
  EXPECT_GT(unseen, 5);
}

// Over many epochs a sample stands in every batch, and beside every sample of another class, equally often; its twin in
// any other batch.
TEST(GroupOrder, IsUniform) {
  constexpr std::int64_t kN = 40, kG = 5, kEpochs = 4000;
  Classes classes(kN);
  for (std::uint32_t i = 0; i < kN; ++i) classes[i] = i / 2;
  const SamplePlan plan(forbid(classes, kG));
  std::map<std::int64_t, double> batch_of_first, beside_first, of_first_and_twin;
  std::map<std::int64_t, std::int64_t> batch_of_twin;
  for (std::int64_t step = 0; step < kEpochs * kN / kG; ++step) {
    const auto slots = plan.batch(step);
    constexpr std::int64_t kBatches = kN / kG;
    bool has = false;
    for (const Slot& slot : slots) {
      has |= slot.sample == 0;
      if (slot.sample > 1) continue;
      const auto [other, is_first] = batch_of_twin.emplace(slot.epoch, step % kBatches);
      if (!is_first) ++of_first_and_twin[slot.sample * 1000 + other->second * kBatches + step % kBatches];
    }
    if (!has) continue;
    ++batch_of_first[step % kBatches];
    for (const Slot& slot : slots)
      if (slot.sample != 0) ++beside_first[slot.sample];
  }
  const auto chi2 = [](const std::map<std::int64_t, double>& counts) {
    double total = 0, chi = 0;
    for (const auto& [key, count] : counts) total += count;
    const double expected = total / static_cast<double>(counts.size());
    for (const auto& [key, count] : counts) chi += (count - expected) * (count - expected) / expected;
    return chi - static_cast<double>(counts.size() - 1);  // mean 0, standard deviation sqrt(2 (n - 1))
  };
  EXPECT_EQ(batch_of_first.size(), 8U);
  EXPECT_LT(chi2(batch_of_first), 5 * std::sqrt(2 * 7.0));
  EXPECT_EQ(of_first_and_twin.size(), 56U) << "pairs of batches";
  EXPECT_LT(chi2(of_first_and_twin), 5 * std::sqrt(2 * 55.0));
  EXPECT_EQ(beside_first.size(), 38U) << "all but itself and its twin";
  EXPECT_LT(chi2(beside_first), 5 * std::sqrt(2 * 37.0));
}

std::string refusal(const PlanSettings& settings) {
  try {
    const SamplePlan plan(settings);
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GroupOrder, WhatCannotBeIsExplained) {
  Classes one_large(100);
  for (std::uint32_t i = 0; i < 100; ++i) one_large[i] = i < 30 ? 0 : i - 29;
  EXPECT_THAT(refusal(forbid(one_large, 4)), HasSubstr("the largest group has 30 images"));
  EXPECT_THAT(refusal(forbid(one_large, 4)), AllOf(HasSubstr("only 25 batches of 4"), HasSubstr("use mask")));
  EXPECT_EQ(refusal(forbid(one_large, 3)), "accepted") << "33 batches";
  Classes just_fits(101);
  for (std::uint32_t i = 0; i < 101; ++i)
    just_fits[i] = i < 25 ? 0 : i - 24;  // as many as there are batches of 4
  EXPECT_THAT(refusal(forbid(just_fits, 4)), HasSubstr("one may be left over"));
  just_fits.pop_back();
  EXPECT_EQ(refusal(forbid(just_fits, 4)), "accepted") << "nothing is left over";
  EXPECT_THROW(SamplePlan(forbid({0, 1, 3, 4}, 2)), std::logic_error) << "class 2 has no member";
  EXPECT_THAT(refusal(forbid(Classes(100, 0), 4)), AllOf(HasSubstr("4 places"), HasSubstr("has 1 groups")));
}

TEST(GroupOrder, APlanThatBeginsInTheMiddleOfARun) {
  const Classes classes = random_classes(200, 3, 4);
  PlanSettings later = forbid(classes, 16);
  later.first_step = 1000;
  later.first_epoch = 7;
  const SamplePlan plan(forbid(classes, 16)), shifted(later);
  for (const std::int64_t step : {0L, 12L, 13L, 60L}) {
    auto want = plan.batch(step);
    for (Slot& slot : want) slot.epoch += 7;
    EXPECT_EQ(shifted.batch(1000 + step), want);
    EXPECT_EQ(shifted.epoch_of(1000 + step), plan.epoch_of(step) + 7);
  }
  EXPECT_THROW(shifted.batch(999), std::logic_error);
  EXPECT_NE(shifted.digest(), plan.digest());
}

// 5,232 radiographs of 3,118 children, up to 30 of one.
TEST(GroupOrder, RealPatients) {
  const std::string csv = std::string(ENTRAIN_SOURCE_DIR) + "/../shared/data/cxr_kermany224.csv";
  if (!std::filesystem::exists(csv)) GTEST_SKIP() << "the shared chest radiographs are not at ../shared/data";
  std::ifstream in(csv);
  std::string line;
  std::getline(in, line);
  const auto column_of = [](const std::string& text, int column) {
    std::size_t at = 0;
    for (int i = 0; i < column; ++i) at = text.find(',', at) + 1;
    return text.substr(at, text.find(',', at) - at);
  };
  int column = 0;
  while (column < 20 && column_of(line, column) != "patient_id") ++column;
  ASSERT_LT(column, 20) << line;
  std::map<std::string, std::uint32_t> number;
  Classes classes;
  while (std::getline(in, line))
    classes.push_back(
        number.emplace(column_of(line, column), static_cast<std::uint32_t>(number.size())).first->second);
  ASSERT_GT(classes.size(), 5000U);
  ASSERT_GT(number.size(), 3000U);
  const auto n = static_cast<std::int64_t>(classes.size());
  for (const std::int64_t batch : {64, 128}) {
    const SamplePlan plan(forbid(classes, batch));
    EXPECT_EQ(clashes(plan, classes, 3 * n / batch), 0) << batch;
    EXPECT_GT(check_epochs(plan, 3), 0);
    EXPECT_GT(clashes(SamplePlan(n, batch, 1), classes, n / batch), n / batch / 4)
        << "control: without classes";
  }
}

}  // namespace
}  // namespace entrain::tests
