#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/mpi_main.hpp"
#include "tests/worker/losses/nt_xent_cases.hpp"

namespace entrain::tests {
namespace {

// Over MPI: equal to one rank in this process, and to equation 1, so that one rank of MPI is tested too.
TEST(NtXentMpi, LossAndGradientEqualOneRankAndTheEquation) {
  for (const NtXentCase& c : {NtXentCase{8, 1, 3}, NtXentCase{8, 3, 5, 0.1}, NtXentCase{4, 1, 4, 0.05}}) {
    const at::Tensor u_SD = fixed_rows(c);
    const Whole one = loss_on(1, c), many = loss_on(world(), c, u_SD);
    ASSERT_GT(one.dz_SD.abs().max().item<double>(), 1e-3) << "a zero gradient would prove nothing";
    EXPECT_TRUE(agree(many, one, 1e-10));
    EXPECT_TRUE(agree(many, equation_one_by_autograd(u_SD, c), 1e-10));
  }
}

TEST(NtXentMpi, FloatHasTheBitsOfOneRank) {
  for (const std::int64_t width : {3, 64, 128}) {
    for (const NtXentCase& c :
         {NtXentCase{8, 1, width, 0.1, at::kFloat}, NtXentCase{4, 1, width, 0.5, at::kFloat},
          NtXentCase{4, 40, width, 0.1, at::kFloat}}) {
      const Whole one = loss_on(1, c), many = loss_on(world(), c, fixed_rows(c));
      ASSERT_GT(one.dz_SD.abs().max().item<double>(), 1e-4) << "a zero gradient would prove nothing";
      EXPECT_TRUE(same_bits(many, one)) << c.lanes << " lanes of " << c.images << ", width " << width;
    }
  }
}

TEST(NtXentMpi, ARankThatThinksItIsFirstIsSeen) {  // negative control
  const NtXentCase c{8, 1, 3};
  const Whole one = loss_on(1, c);
  const Whole bad = loss_on(world(), c, fixed_rows(c), [](auto gathered, int) {
    gathered.first = 0;
    return gathered;
  });
  EXPECT_EQ(agree(bad, one, 1e-10), world().size() == 1);
}

}  // namespace
}  // namespace entrain::tests
