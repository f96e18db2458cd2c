#include "configs/philox.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "configs/lanes.hpp"

namespace entrain {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Random123, tests/kat_vectors, philox 4x32 10; also what tests/reference/configs/philox.py computes.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Draws, EachPartOfTheKeyMakesAnotherStream) {
  std::set<std::uint32_t> firsts;
  const auto add = [&](Draws d) { firsts.insert(d.next()); };
  add({1, Purpose::kView, 5, 6, 7});
  add({2, Purpose::kView, 5, 6, 7});
  add({std::uint64_t{1} << 32 | 1, Purpose::kView, 5, 6, 7});
  add({1, Purpose::kInit, 5, 6, 7});
  add({1, Purpose::kView, 6, 6, 7});
  add({1, Purpose::kView, std::uint64_t{1} << 32 | 5, 6, 7});
  add({1, Purpose::kView, 5, 7, 7});
  add({1, Purpose::kView, 5, 6, 8});
  EXPECT_EQ(firsts.size(), 8U);
  Draws a(1, Purpose::kView, 5, 6, 7), b(1, Purpose::kView, 5, 6, 7);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.next(), b.next());
}

TEST(Draws, UniformIsUniform) {
  constexpr int kDraws = 40'000;
  Draws d(3, Purpose::kView, 0);
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = i % 2 == 0 ? d.uniform_double() : d.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u, squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(Draws, BelowReachesEveryValueAndNoOther) {
  Draws d(4, Purpose::kPermutation, 0);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) ++seen.at(d.below(7));
  for (const int n : seen) EXPECT_NEAR(n, 1000, 5 * std::sqrt(1000.0 * 6 / 7));
  EXPECT_EQ(d.below(1), 0U);
  EXPECT_GT(Draws(4, Purpose::kPermutation, 1).below(~std::uint64_t{0}), std::uint64_t{1} << 32);
}

TEST(Lanes, EveryLaneHasOneOwnerInOrder) {
  for (std::int64_t lanes : {1, 2, 8, 64})
    for (std::int64_t world = 1; world <= lanes; ++world) {
      std::int64_t next = 0;
      for (std::int64_t rank = 0; rank < world; ++rank) {
        const LaneBlock block = lanes_of(rank, world, lanes);
        EXPECT_EQ(block.first, next);
        EXPECT_GE(block.count, 1);
        next += block.count;
      }
      EXPECT_EQ(next, lanes);
    }
  EXPECT_EQ(lanes_of(2, 3, 8).count, 2);
  EXPECT_EQ(lanes_of(0, 3, 8).count, 3);
}

}  // namespace
}  // namespace entrain
