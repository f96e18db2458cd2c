#include "worker/optim/chunks.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace entrain::worker {
namespace {

at::Tensor values(std::int64_t count) {
  return (at::arange(count, at::kDouble) * 0.7).sin().mul(3).to(at::kFloat);
}

TEST(Chunks, CoverEveryElementOnceAndSpanNoTwoParameters) {
  const ParameterSet parameters({{"a", {3, 5000}}, {"b", {1}}, {"c", {4096}}, {"d", {8193}}}, at::kFloat);
  const Chunks chunks = chunks_of(parameters);
  std::vector<int> seen(parameters.numel());
  for (std::size_t p = 0; p < 4; ++p) {
    std::int64_t covered = 0;
    for (std::size_t c = chunks.first_chunk[p]; c < chunks.first_chunk[p + 1]; ++c) {
      EXPECT_EQ(chunks.all[c].parameter, p);
      EXPECT_LE(chunks.all[c].count, kChunkElements);
      covered += chunks.all[c].count;
      for (std::int64_t i = 0; i < chunks.all[c].count; ++i) {
        const float* at = parameters.flat().const_data_ptr<float>() + chunks.all[c].first + i;
        const float* own = parameters.all()[p].value.const_data_ptr<float>();
        ASSERT_TRUE(own <= at && at < own + parameters.all()[p].value.numel());
        ++seen[chunks.all[c].first + i];
      }
    }
    EXPECT_EQ(covered, parameters.all()[p].value.numel());
  }
  EXPECT_EQ(chunks.first_chunk[4], chunks.all.size());
  for (const int times : seen) ASSERT_LE(times, 1);
}

TEST(L2Norm, EqualsTorchsAndDoesNotDependOnThreads) {
  for (const std::int64_t count : {1, 7, 8, 4095, 4096, 4097, 1000003}) {
    const at::Tensor x = values(count);
    LaneThreads one(1), three(3);
    const double got = l2_norm(x, one), want = x.to(at::kDouble).norm().item<double>();
    ASSERT_GE(want, 0);
    EXPECT_NEAR(got, want, 1e-13 * want) << count;
    EXPECT_EQ(got, l2_norm(x, three)) << count;
    EXPECT_EQ(got, l2_norm(x.to(at::kDouble), three)) << count;
  }
}

TEST(L2Norm, ShowsAnyValueThatIsNotFinite) {
  LaneThreads threads(2);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::int64_t place : {0, 4096, 9999}) {
      at::Tensor x = values(10000);
      x[place] = bad;
      EXPECT_FALSE(std::isfinite(l2_norm(x, threads)));
    }
  }
}

TEST(L2Norm, FloatsWhoseSquaresOverflowAreFine) {
  LaneThreads threads(1);
  EXPECT_NEAR(l2_norm(at::full({4}, 1e30F), threads), 2e30, 1e24);
}

// The order of a sum is part of the bits. In double, 1e16 + 1 is 1e16 and 1e16 + 2 is not: these sums come out as they
// do in no other order that one might slip into.
TEST(SumOrder, ATreeAddsHalves) {
  EXPECT_EQ(tree_of(std::vector<double>{1e16, 1, 1, 1}), 1e16 + 2);
  EXPECT_EQ(tree_of(std::vector<double>{1e16, 1, 1, 1, 1}),
            1e16 + 2);  // ((1e16 + 1) + 1) + (1 + 1)
  EXPECT_EQ(tree_of(std::vector<double>{}), 0);
}

TEST(SumOrder, AChunkFoldsEightRunningSums) {
  const auto value = [](std::int64_t i) { return i == 0 ? 1e8 : 1.0; };
  EXPECT_EQ(sum_of_squares(8, value), 1e16 + 6);    // (1e16 + 1) + (1 + 1), then + ((1 + 1) + (1 + 1))
  EXPECT_EQ(sum_of_squares(12, value), 1e16 + 10);  // 1, 2 and 3 have two terms each, 0 stays at 1e16
}

TEST(SumOrder, APlainSumHasOtherBits) {
  const at::Tensor x = values(100000);
  double sum = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += std::pow(x.const_data_ptr<float>()[i], 2.0);
  LaneThreads threads(1);
  EXPECT_NE(l2_norm(x, threads), std::sqrt(sum));
  EXPECT_NEAR(l2_norm(x, threads), std::sqrt(sum), 1e-9);
}

}  // namespace
}  // namespace entrain::worker
