#include "worker/losses/cross_entropy.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/golden.hpp"

namespace entrain::worker {
namespace {

TEST(CrossEntropy, EqualsTorchWithUnlabelledRowsLeftOut) {
  const auto golden = tests::read_golden("losses/cross_entropy.json");
  const at::Tensor labels = golden.at("labels").to(at::kLong);
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    const double tolerance = dtype == at::kDouble ? 1e-12 : 1e-6;
    const ClassLoss got = cross_entropy(golden.at("logits").to(dtype), labels);
    EXPECT_NEAR(got.loss_sum.item<double>(), golden.at("loss").item<double>(), 10 * tolerance);
    ASSERT_GT(golden.at("gradient").abs().max().item<double>(), 0.1);
    EXPECT_EQ(got.dlogits_LK.scalar_type(), dtype);
    EXPECT_LT((got.dlogits_LK - golden.at("gradient")).abs().max().item<double>(), tolerance);
    EXPECT_EQ(got.labelled, 5);
    EXPECT_EQ(got.correct, golden.at("correct").item<double>());
  }
  ASSERT_GT(golden.at("correct").item<double>(), 0);
  ASSERT_LT(golden.at("correct").item<double>(), 5);
}

TEST(CrossEntropy, ALaneWithoutLabelsAddsNothing) {
  const ClassLoss got = cross_entropy(at::ones({3, 2}), at::full({3}, -1, at::kLong));
  EXPECT_EQ(got.loss_sum.item<double>(), 0);
  EXPECT_EQ(got.dlogits_LK.abs().max().item<double>(), 0);
  EXPECT_EQ(got.labelled, 0);
  EXPECT_EQ(got.correct, 0);
}

TEST(CrossEntropy, AnUnlabelledRowMayHoldAnything) {
  at::Tensor logits = at::ones({2, 2});
  logits[1].fill_(std::numeric_limits<float>::infinity());
  const ClassLoss got = cross_entropy(logits, at::tensor({1, -1}, at::kLong));
  EXPECT_NEAR(got.loss_sum.item<double>(), std::log(2.0), 1e-12);
  EXPECT_TRUE(got.dlogits_LK.isfinite().all().item<bool>());
}

TEST(CrossEntropy, LargeLogitsDoNotOverflow) {
  const ClassLoss got =
      cross_entropy(at::tensor({3e38F, -3e38F, 0.0F}).view({1, 3}), at::tensor({0}, at::kLong));
  EXPECT_EQ(got.loss_sum.item<double>(), 0);
  EXPECT_EQ(got.correct, 1);
}

TEST(CrossEntropy, AWrongLabelIsNamed) {
  try {
    cross_entropy(at::ones({2, 2}), at::tensor({0, 2}, at::kLong));
    FAIL() << "label 2 of 2 classes was taken";
  } catch (const c10::Error& e) {
    EXPECT_NE(std::string(e.what()).find("row 1 has label 2"), std::string::npos) << e.what();
  }
  EXPECT_THROW(cross_entropy(at::ones({2, 2}), at::tensor({0, -2}, at::kLong)), c10::Error);
}

}  // namespace
}  // namespace entrain::worker
