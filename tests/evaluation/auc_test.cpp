#include "evaluation/auc.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "configs/error.hpp"
#include "configs/philox.hpp"

namespace entrain::tests {
namespace {

using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<double>;

// The worked example of the design document, computed there with scikit-learn and from all pairs.
const Labels kLabels = {1, 1, 1, 1, 0, 0, 0, 0, 0, 1};
const Scores kA = {.9, .8, .5, .4, .5, .3, .2, .1, .4, .7}, kB = {.6, .7, .2, .5, .6, .5, .1, .2, .3, .9};

double by_pairs(const Scores& score, const Labels& positive) {
  double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < score.size(); ++i)
    for (std::size_t j = 0; j < score.size(); ++j) {
      if (positive[i] == 0 || positive[j] != 0) continue;
      wins += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
      ++pairs;
    }
  return wins / pairs;
}

TEST(Auc, KnownAnswersWithIntervals) {
  const auto a = evaluation::delong(kA, kLabels), b = evaluation::delong(kB, kLabels);
  EXPECT_DOUBLE_EQ(a.auc, 0.92);
  EXPECT_DOUBLE_EQ(b.auc, 0.78);
  EXPECT_NEAR(a.variance, 0.0068, 1e-15);
  EXPECT_NEAR(b.variance, 0.0248, 1e-15);
  EXPECT_NEAR(a.low, 0.5613, 5e-5);
  EXPECT_NEAR(a.high, 0.9904, 5e-5);
  EXPECT_NEAR(b.low, 0.3698, 5e-5);
  EXPECT_NEAR(b.high, 0.9554, 5e-5);
  EXPECT_EQ(a.positives, 5);
  EXPECT_EQ(a.negatives, 5);
  EXPECT_EQ(a.cases, 10);
}

TEST(Auc, PairedTestKnownAnswer) {
  const auto t = evaluation::paired_delong(kA, kB, kLabels);
  EXPECT_NEAR(t.covariance_aa, 0.0068, 1e-15);
  EXPECT_NEAR(t.covariance_ab, 0.0077, 1e-15);
  EXPECT_NEAR(t.covariance_bb, 0.0248, 1e-15);
  EXPECT_NEAR(t.difference, 0.14, 1e-15);
  EXPECT_NEAR(t.variance, 0.0162, 1e-15);
  EXPECT_NEAR(t.z, 1.0999438818, 1e-10);
  EXPECT_NEAR(t.p, 0.2713565736, 1e-10);
  EXPECT_EQ(evaluation::paired_delong(kA, kA, kLabels).p, 1);
  Scores worse = kA;  // one model ranks all right, the other all wrong: no variance, certainly unequal
  for (std::size_t i = 0; i < worse.size(); ++i) worse[i] = kLabels[i];
  Scores wrong = worse;
  for (auto& s : wrong) s = -s;
  EXPECT_EQ(evaluation::paired_delong(worse, wrong, kLabels).p, 0);
}

TEST(Auc, EqualsThePairsAlsoWithTies) {
  Draws draws(1, Purpose::kPhantom, 2);
  for (int round = 0; round < 200; ++round) {
    Scores score;
    Labels positive = {0, 1};
    for (int i = 0; i < 2 + round % 40; ++i) {
      score.push_back(static_cast<double>(draws.below(8)));
      if (i >= 2) positive.push_back(draws.below(2) == 1);
    }
    ASSERT_NEAR(evaluation::auc(score, positive), by_pairs(score, positive), 1e-13);
  }
}

TEST(Auc, UndefinedIsNanAndNanIsAnError) {
  EXPECT_TRUE(std::isnan(evaluation::auc(Scores{1, 2}, Labels{1, 1})));
  EXPECT_TRUE(std::isnan(evaluation::auc(Scores{1, 2}, Labels{0, 0})));
  EXPECT_TRUE(std::isnan(evaluation::auc(Scores{}, Labels{})));
  EXPECT_TRUE(std::isnan(evaluation::delong(Scores{1, 2, 3}, Labels{1, 0, 0}).low))
      << "one positive has no variance";
  EXPECT_THROW(evaluation::auc(Scores{1, NAN}, Labels{1, 0}), DataError);
  EXPECT_THROW(evaluation::auc(Scores{1}, Labels{1, 0}), DataError);
  const auto perfect = evaluation::delong(Scores{1, 2, 3, 4}, Labels{0, 0, 1, 1});
  EXPECT_TRUE(perfect.point);
  EXPECT_EQ(perfect.low, 1);
  EXPECT_EQ(perfect.high, 1);
}

TEST(ClusteredDelong, WithOneRowPerGroupIsDelong) {
  Scores score;
  Labels positive;
  std::vector<std::int64_t> group(60), pairs(60);
  std::iota(group.rbegin(), group.rend(), 100);
  Draws draws(4, Purpose::kPhantom, 2);
  for (int i = 0; i < 60; ++i) {
    positive.push_back(i % 3 == 0);
    score.push_back(draws.uniform_double() + 0.2 * positive.back());
    pairs[i] = i / 2;
  }
  const auto plain = evaluation::delong(score, positive),
             clustered = evaluation::clustered_delong(score, positive, group);
  ASSERT_GT(plain.variance, 1e-4);
  EXPECT_NEAR(clustered.variance, plain.variance, 1e-15);
  EXPECT_NEAR(clustered.low, plain.low, 1e-14);
  EXPECT_EQ(clustered.cases, 60);
  const auto other = evaluation::clustered_delong(score, positive, pairs);
  EXPECT_EQ(other.cases, 30);
  EXPECT_GT(std::abs(other.variance - plain.variance), 1e-5) << "groups must matter";
}

TEST(ClusteredDelong, ImagesCopiedWithinPatientsDoNotMakeUsSurer) {
  Scores score;
  Labels positive;
  std::vector<std::int64_t> group;
  for (int copy = 0; copy < 5; ++copy)
    for (std::size_t i = 0; i < kA.size(); ++i) {
      score.push_back(kA[i]);
      positive.push_back(kLabels[i]);
      group.push_back(static_cast<std::int64_t>(i));
    }
  EXPECT_NEAR(evaluation::clustered_delong(score, positive, group).variance, 0.0068, 1e-15);
  EXPECT_LT(evaluation::delong(score, positive).variance, 0.0068 / 4)
      << "the control: rows taken as independent";
}

double normal(Draws& draws) {
  return std::sqrt(-2 * std::log(1 - draws.uniform_double())) * std::cos(2 * M_PI * draws.uniform_double());
}

struct Coverage {
  double clustered = 0, unclustered = 0;
};

// Patients with 1 to 12 images; scores of positives are normal around `shift`, of negatives around 0, variance 1, and
// correlated within a patient. True AUC: Phi(shift / sqrt(2)) = 0.8 for shift = 1.19.
Coverage coverage(double correlation, int tests) {
  const double shift = 0.8416212335729143 * std::sqrt(2.0);
  Coverage result;
  Draws draws(2026, Purpose::kBootstrap, static_cast<std::uint64_t>(correlation * 100));
  for (int test = 0; test < tests; ++test) {
    Scores score;
    Labels positive;
    std::vector<std::int64_t> group;
    for (int patient = 0; patient < 120; ++patient) {
      const double own = std::sqrt(correlation) * normal(draws);
      for (std::uint64_t images = 1 + draws.below(12) * draws.below(2); images > 0; --images) {
        positive.push_back(patient % 3 == 0);
        score.push_back(own + std::sqrt(1 - correlation) * normal(draws) + shift * positive.back());
        group.push_back(patient);
      }
    }
    const auto covers = [](const evaluation::AucEstimate& e) { return e.low <= 0.8 && 0.8 <= e.high; };
    result.clustered += covers(evaluation::clustered_delong(score, positive, group));
    result.unclustered += covers(evaluation::delong(score, positive));
  }
  return {result.clustered / tests, result.unclustered / tests};
}

TEST(ClusteredDelong, CoversTheTruthNinetyFiveTimesInAHundred) {
  const Coverage dependent = coverage(0.8, 1000), independent = coverage(0.0, 1000);
  RecordProperty("clustered", std::to_string(dependent.clustered));
  EXPECT_GT(dependent.clustered, 0.92);
  EXPECT_LT(dependent.clustered, 0.98);
  EXPECT_LT(dependent.unclustered, 0.80) << "the control: images taken as independent are far too sure";
  EXPECT_GT(independent.clustered, 0.92);
  EXPECT_GT(independent.unclustered, 0.92);
}

}  // namespace
}  // namespace entrain::tests
