// Nested, stratified draws of patients.
#include "sharding/label_fraction.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "configs/error.hpp"

namespace entrain::tests {
namespace {
using sharding::draw_fraction;
using sharding::order_groups;

struct Rows {
  std::vector<std::uint64_t> groups;
  std::vector<std::int64_t> labels;
};

// 410 groups: 187 of class 0, 210 of class 1, 13 with both; 1 to 4 rows each.
Rows make_rows() {
  Rows rows;
  for (std::uint64_t g = 0; g < 410; ++g)
    for (std::uint64_t i = 0; i < 2 + g % 3; ++i) {
      rows.groups.push_back(g * 0x9E3779B97F4A7C15ULL);
      rows.labels.push_back(g < 187 ? 0 : g < 397 ? 1 : static_cast<std::int64_t>(i % 2));
    }
  return rows;
}

std::set<std::uint64_t> groups_of(const Rows& rows, const std::vector<std::int64_t>& samples) {
  std::set<std::uint64_t> groups;
  for (const auto s : samples) groups.insert(rows.groups[static_cast<std::size_t>(s)]);
  return groups;
}

TEST(LabelFraction, TakesWholeGroupsAndTheRightNumber) {
  const Rows rows = make_rows();
  for (const double p : {0.01, 0.02, 0.05, 0.1, 0.33, 0.5, 1.0}) {
    const auto samples = draw_fraction(rows.groups, rows.labels, p, 1, 0);
    const auto drawn = groups_of(rows, samples);
    EXPECT_EQ(drawn.size(), static_cast<std::size_t>(std::ceil(p * 410 - 1e-9))) << p;
    const auto in_drawn =
        std::count_if(rows.groups.begin(), rows.groups.end(), [&](auto g) { return drawn.contains(g); });
    EXPECT_EQ(static_cast<std::int64_t>(samples.size()), in_drawn);
    EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
  }
  EXPECT_TRUE(draw_fraction(rows.groups, rows.labels, 0, 1, 0).empty());
}

TEST(LabelFraction, SevenPercentOfAHundredIsSeven) {
  Rows rows;
  for (std::uint64_t g = 0; g < 100; ++g)
    rows.groups.push_back(g), rows.labels.push_back(static_cast<std::int64_t>(g % 2));
  EXPECT_EQ(draw_fraction(rows.groups, rows.labels, 0.07, 1, 0).size(), 7U);  // 0.07 * 100 > 7 in binary
}

TEST(LabelFraction, IsNested) {
  const Rows rows = make_rows();
  for (std::uint32_t repeat = 0; repeat < 5; ++repeat) {
    std::vector<std::int64_t> before;
    for (const double p : {0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.75, 1.0}) {
      const auto samples = draw_fraction(rows.groups, rows.labels, p, 1, repeat);
      EXPECT_TRUE(std::includes(samples.begin(), samples.end(), before.begin(), before.end())) << p;
      EXPECT_GT(samples.size(), before.size());
      before = samples;
    }
  }
}

TEST(LabelFraction, EveryPrefixKeepsTheSharesOfTheStrata) {
  const Rows rows = make_rows();
  std::map<std::uint64_t, std::set<std::int64_t>> sets;
  for (std::size_t i = 0; i < rows.groups.size(); ++i) sets[rows.groups[i]].insert(rows.labels[i]);
  double worst = 0, worst_at_random = 0;
  std::mt19937 random(1);
  for (std::uint32_t repeat = 0; repeat < 20; ++repeat) {
    auto order = order_groups(rows.groups, rows.labels, 1, repeat);
    ASSERT_EQ(order.size(), 410U);
    const auto deviation = [&] {
      double most = 0;
      std::map<std::set<std::int64_t>, double> taken;
      for (std::size_t k = 0; k < order.size(); ++k) {
        ++taken[sets[order[k]]];
        for (const auto& [set, n] :
             {std::pair{std::set<std::int64_t>{0}, 187.0}, {{1}, 210.0}, {{0, 1}, 13.0}})
          most = std::max(most, std::abs(taken[set] - n * static_cast<double>(k + 1) / 410));
      }
      return most;
    };
    worst = std::max(worst, deviation());
    std::shuffle(order.begin(), order.end(), random);
    worst_at_random = std::max(worst_at_random, deviation());
  }
  EXPECT_LT(worst, 1 + 3 * 210.0 / 410);  // the bound derived there
  EXPECT_GT(worst_at_random, 10) << "the control: without strata it would be this";
}

TEST(LabelFraction, DoesNotDependOnTheOrderOfRows) {
  const Rows rows = make_rows();
  std::vector<std::size_t> order(rows.groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  Rows shuffled;
  for (const auto i : order)
    shuffled.groups.push_back(rows.groups[i]), shuffled.labels.push_back(rows.labels[i]);
  for (const double p : {0.01, 0.1, 0.5})
    EXPECT_EQ(groups_of(rows, draw_fraction(rows.groups, rows.labels, p, 3, 2)),
              groups_of(shuffled, draw_fraction(shuffled.groups, shuffled.labels, p, 3, 2)));
}

TEST(LabelFraction, RepeatsAndSeedsDrawOtherGroups) {
  const Rows rows = make_rows();
  const auto a = draw_fraction(rows.groups, rows.labels, 0.1, 1, 0);
  EXPECT_EQ(a, draw_fraction(rows.groups, rows.labels, 0.1, 1, 0));
  EXPECT_NE(a, draw_fraction(rows.groups, rows.labels, 0.1, 1, 1));
  EXPECT_NE(a, draw_fraction(rows.groups, rows.labels, 0.1, 2, 0));
}

TEST(LabelFraction, HoldsEveryClassHoweverRare) {
  Rows rows;  // as the white blood cells: 176, 53, 48, 22, 1
  std::uint64_t g = 1;
  for (const auto& [label, n] : {std::pair{0, 176}, {1, 53}, {2, 48}, {3, 22}, {4, 1}})
    for (int i = 0; i < n; ++i) rows.groups.push_back(g++ * 77777), rows.labels.push_back(label);
  for (std::uint32_t repeat = 0; repeat < 10; ++repeat) {
    std::set<std::int64_t> classes;
    for (const auto s : draw_fraction(rows.groups, rows.labels, 0.01, 1, repeat))
      classes.insert(rows.labels[static_cast<std::size_t>(s)]);
    EXPECT_EQ(classes.size(), 5U);
  }
}

TEST(LabelFraction, RowsWithoutLabelTakeNoPart) {
  Rows rows = make_rows();
  for (std::size_t i = 0; i < rows.labels.size(); i += 3) rows.labels[i] = -1;
  for (const auto s : draw_fraction(rows.groups, rows.labels, 1, 1, 0))
    EXPECT_GE(rows.labels[static_cast<std::size_t>(s)], 0);
}

TEST(LabelFraction, OutsideZeroToOneIsRefused) {
  const Rows rows = make_rows();
  EXPECT_THROW(draw_fraction(rows.groups, rows.labels, 1.5, 1, 0), ConfigError);
  EXPECT_THROW(draw_fraction(rows.groups, rows.labels, std::nan(""), 1, 0), ConfigError);
}

}  // namespace
}  // namespace entrain::tests
