#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <iostream>
#include <limits>
#include <vector>

#include "tests/support/ranks.hpp"
#include "tests/worker/losses/nt_xent_cases.hpp"

namespace entrain::tests {
namespace {

class NtXentRanks : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Ranks, NtXentRanks, ::testing::Values(2, 3, 4));

TEST_P(NtXentRanks, LossAndGradientEqualOneRank) {
  for (const NtXentCase& c :
       {NtXentCase{8, 1, 3}, NtXentCase{8, 3, 5, 0.1}, NtXentCase{4, 1, 4, 0.05}, NtXentCase{4, 3, 7, 1.0}}) {
    const Whole one = loss_on(1, c), many = loss_on(GetParam(), c);
    ASSERT_GT(one.dz_SD.abs().max().item<double>(), 1e-3) << "a zero gradient would prove nothing";
    EXPECT_TRUE(agree(many, one, 1e-10));
    EXPECT_EQ(many.accuracy, one.accuracy);
  }
}

// With 4 lanes on 4 ranks and one image a lane, each rank holds a single image: two rows, for which BLAS
// would choose another kernel if its shapes depended on the number of ranks.
TEST_P(NtXentRanks, FloatHasTheBitsOfOneRank) {
  for (const std::int64_t width : {3, 17, 64, 128}) {
    for (const NtXentCase& c :
         {NtXentCase{8, 1, width, 0.1, at::kFloat}, NtXentCase{4, 1, width, 0.5, at::kFloat},
          NtXentCase{8, 5, width, 0.2, at::kFloat}, NtXentCase{4, 40, width, 0.1, at::kFloat}}) {
      const Whole one = loss_on(1, c), many = loss_on(GetParam(), c);
      ASSERT_GT(one.dz_SD.abs().max().item<double>(), 1e-4) << "a zero gradient would prove nothing";
      EXPECT_TRUE(same_bits(many, one)) << c.lanes << " lanes of " << c.images << ", width " << width;
    }
  }
}

TEST(NtXentLanes, EightRanksOfOneImageHaveTheBitsOfOneRank) {
  for (const std::int64_t width : {3, 64}) {
    const NtXentCase c{8, 1, width, 0.1, at::kFloat};
    EXPECT_TRUE(same_bits(loss_on(8, c), loss_on(1, c)));
  }
}

// d loss / d z in float with one product per `rows` rows, as a rank would do that takes all its rows at once.
// Same row and column order for any `rows`, every step but the two products is row by row.
at::Tensor with_products_of(std::int64_t rows, const NtXentCase& c) {
  const at::Tensor u_SD = fixed_rows(c), z_SD = u_SD / u_SD.square().sum(1, true).sqrt();
  const std::int64_t S = z_SD.size(0);
  const at::Tensor lse_S1 = (z_SD.mm(z_SD.t()) / c.temperature)
                                .fill_diagonal_(-std::numeric_limits<double>::infinity())
                                .logsumexp(1, true);
  std::vector<at::Tensor> parts;
  for (std::int64_t first = 0; first < S; first += rows) {
    const at::Tensor z_RD = z_SD.narrow(0, first, rows).clone();
    const at::Tensor s_RS = z_RD.mm(z_SD.t()) / c.temperature;
    s_RS.diagonal(first).fill_(-std::numeric_limits<double>::infinity());
    const at::Tensor weight_RS = (s_RS - lse_S1.narrow(0, first, rows)).exp() + (s_RS - lse_S1.t()).exp();
    parts.push_back(weight_RS.mm(z_SD));
  }
  return at::cat(parts);
}

// The negative control of the bit tests: the same mathematics with one product over all rows of a rank, at
// the sizes of the tests above. If this ever fails, the bit tests prove nothing on this machine and need
// other sizes.
TEST(NtXentLanes, OneBigProductPerRankHasOtherBits) {
  int different = 0;
  for (const std::int64_t width : {3, 17, 64, 128}) {
    const NtXentCase c{8, 1, width, 0.1, at::kFloat};
    const at::Tensor one = with_products_of(16, c);
    for (const std::int64_t rows : {8, 4, 2}) {
      const at::Tensor many = with_products_of(rows, c);
      EXPECT_LT((many - one).abs().max().item<double>(), 1e-5);
      if (!at::equal(many, one)) {
        ++different;
        std::cout << "other bits: width " << width << ", " << rows << " rows per product instead of 16\n";
      }
    }
  }
  EXPECT_GT(different, 0);
}

}  // namespace
}  // namespace entrain::tests
