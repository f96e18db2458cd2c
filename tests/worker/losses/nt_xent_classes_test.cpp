// batch.same_group = mask: pairs of one class are left out of the denominators.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/ranks.hpp"
#include "tests/worker/losses/nt_xent_cases.hpp"

namespace entrain::tests {
namespace {

// Rows of the same image share a class, and so do those of every `images_per_class` images that follow each other.
at::Tensor classes_of(const NtXentCase& c, std::int64_t images_per_class) {
  std::vector<std::int64_t> classes;
  for (std::int64_t lane = 0; lane < c.lanes; ++lane)
    for (int view = 0; view < 2; ++view)
      for (std::int64_t i = 0; i < c.images; ++i) classes.push_back((lane * c.images + i) / images_per_class);
  return at::tensor(classes, at::kLong);
}

NtXentCase with_classes(NtXentCase c, std::int64_t images_per_class) {
  c.classes_S = classes_of(c, images_per_class);
  return c;
}

TEST(NtXentClasses, EqualsAutogradOverTheMaskedMatrix) {
  int differ = 0;
  for (const double temperature : {0.07, 0.5}) {
    for (const NtXentCase& plain : {NtXentCase{8, 1, 3, temperature}, NtXentCase{4, 3, 5, temperature},
                                    NtXentCase{2, 5, 6, temperature}}) {
      const at::Tensor u_SD = fixed_rows(plain);
      for (const std::int64_t per_class : {2, 3}) {
        const NtXentCase c = with_classes(plain, per_class);
        const Whole want = equation_one_by_autograd(u_SD, c), got = loss_on(1, c);
        ASSERT_GT(want.dz_SD.abs().max().item<double>(), 1e-4);
        EXPECT_TRUE(agree(got, want, 1e-10)) << c.lanes << " lanes, tau " << temperature;
        EXPECT_DOUBLE_EQ(got.accuracy, want.accuracy);
        differ += !agree(loss_on(1, plain), want, 1e-3);  // negative control: no mask
      }
    }
  }
  EXPECT_EQ(differ, 12);
}

TEST(NtXentClasses, TheSameBitsOnAnyNumberOfRanks) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    const NtXentCase c = with_classes({8, 2, 16, 0.1, dtype}, 3);
    const Whole one = loss_on(1, c);
    for (const int ranks : {2, 3, 4}) EXPECT_TRUE(same_bits(loss_on(ranks, c), one)) << ranks;
  }
}

TEST(NtXentClasses, OfTheirOwnChangeNothingAndASingleOneLeavesThePositive) {
  const NtXentCase c{4, 2, 5, 0.2};
  EXPECT_TRUE(same_bits(loss_on(1, with_classes(c, 1)), loss_on(1, c)));
  const Whole alone = loss_on(1, with_classes(c, 8));
  EXPECT_NEAR(alone.loss, 0, 1e-12);
  EXPECT_LT(alone.dz_SD.abs().max().item<double>(), 1e-12);
  EXPECT_EQ(alone.accuracy, 1);
}

}  // namespace
}  // namespace entrain::tests
