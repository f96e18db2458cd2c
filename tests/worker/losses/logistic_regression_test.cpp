#include "worker/losses/logistic_regression.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "tests/support/golden.hpp"

namespace entrain::worker {
namespace {

double relative(const at::Tensor& got, const at::Tensor& want) {
  return ((got - want).abs().max() / want.abs().max()).item<double>();
}

class LogisticRegression : public ::testing::Test {
 protected:
  std::map<std::string, at::Tensor> golden_ = tests::read_golden("losses/logistic_regression.json");
};

TEST_F(LogisticRegression, ThreeClassesEqualScikitLearn) {
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    const auto got = logistic_regression(golden_.at("features3"), golden_.at("labels3").to(at::kLong), 3,
                                         golden_.at("l2_" + n).item<double>());
    // Features differ in scale by thousands: compare each feature's weights on their own scale.
    for (int f = 0; f < 5; ++f)
      EXPECT_LT(relative(got.weight_KF.select(1, f), golden_.at("weight3_" + n).select(1, f)), 1e-4)
          << n << " " << f;
    EXPECT_EQ(got.weight_KF.select(1, 5).abs().max().item<double>(), 0) << "a constant feature says nothing";
    EXPECT_LT(relative(got.bias_K, golden_.at("bias3_" + n)), 1e-4);
  }
}

TEST_F(LogisticRegression, TwoClassesEqualScikitLearnsDifference) {
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i);
    const auto got = logistic_regression(golden_.at("features2"), golden_.at("labels2").to(at::kLong), 2,
                                         golden_.at("l2_" + n).item<double>());
    const at::Tensor w = got.weight_KF[1] - got.weight_KF[0], want = golden_.at("weight2_" + n)[0];
    for (int f = 0; f < 5; ++f) EXPECT_LT(relative(w[f], want[f]), 1e-4) << n << " " << f;
    EXPECT_LT(relative(got.bias_K[1] - got.bias_K[0], golden_.at("bias2_" + n)[0]), 1e-4);
  }
}

TEST_F(LogisticRegression, AnotherPenaltyGivesOtherWeights) {  // negative control
  const auto got = logistic_regression(golden_.at("features3"), golden_.at("labels3").to(at::kLong), 3, 1.1);
  EXPECT_GT(relative(got.weight_KF.select(1, 0), golden_.at("weight3_1").select(1, 0)), 1e-3);
}

TEST_F(LogisticRegression, UnlabelledRowsAreIgnored) {
  const at::Tensor features = golden_.at("features3"), labels = golden_.at("labels3").to(at::kLong);
  const auto want = logistic_regression(features, labels, 3, 1);
  const auto got = logistic_regression(at::cat({at::full({4, 6}, 1e6, at::kDouble), features}),
                                       at::cat({at::full({4}, -1, at::kLong), labels}), 3, 1);
  EXPECT_TRUE(at::equal(got.weight_KF, want.weight_KF));
}

// More features than rows, separable, a weak penalty, and a class without a row: what a probe at 1 % of
// labels meets.
TEST_F(LogisticRegression, ConvergesWhereTheDataAreSeparable) {
  at::Tensor features = at::empty({20, 200}, at::kDouble);
  Draws draws(3, Purpose::kInit, 0);
  for (auto* x = features.mutable_data_ptr<double>();
       x != features.mutable_data_ptr<double>() + features.numel(); ++x)
    *x = draws.uniform(-1, 1);
  const at::Tensor labels = at::arange(20, at::kLong).remainder(2);
  for (const double l2 : {1e-4, 1.0}) {
    const auto fit = logistic_regression(features, labels, 3, l2);
    const at::Tensor p = at::softmax(features.mm(fit.weight_KF.t()) + fit.bias_K, 1);
    const at::Tensor residual = p - at::one_hot(labels, 3);
    // At the optimum, residuals are balanced per class (the bias) and p is right for the training rows.
    EXPECT_LT(residual.sum(0).abs().max().item<double>(), 1e-6);
    EXPECT_TRUE(at::equal(p.argmax(1), labels));
  }
}

// Strongly correlated features and a weak penalty: plain conjugate gradients do not get there, the factorised
// Hessian has to. At the optimum the gradient of the penalised loss on standardised features vanishes.
TEST_F(LogisticRegression, ConvergesWhereFeaturesAreNearlyCollinear) {
  Draws draws(4, Purpose::kInit, 0);
  const auto uniform = [&](std::int64_t rows, std::int64_t columns) {
    at::Tensor t = at::empty({rows, columns}, at::kDouble);
    for (std::int64_t i = 0; i < t.numel(); ++i) t.mutable_data_ptr<double>()[i] = draws.uniform(-1, 1);
    return t;
  };
  const at::Tensor scales = at::pow(10.0, -at::arange(80, at::kDouble) / 20.0);
  const at::Tensor features = (uniform(500, 80) * scales).mm(uniform(80, 80));
  const at::Tensor labels = (uniform(500, 3) + 0.5 * features.narrow(1, 0, 3)).argmax(1);
  for (const std::int64_t classes : {2, 3}) {
    const at::Tensor y = labels.clamp_max(classes - 1);
    const double l2 = 1e-3;
    const auto fit = logistic_regression(features, y, classes, l2);
    const at::Tensor centred = features - features.mean(0, true),
                     spread = centred.square().mean(0, true).sqrt();
    const at::Tensor residual =
        at::softmax(features.mm(fit.weight_KF.t()) + fit.bias_K, 1) - at::one_hot(y, classes);
    const at::Tensor gradient = residual.t().mm(centred / spread) + l2 * fit.weight_KF * spread;
    ASSERT_GT((fit.weight_KF * spread).abs().max().item<double>(), 1);
    EXPECT_LT(gradient.abs().max().item<double>(), 1e-6) << classes;
    EXPECT_LT(residual.sum(0).abs().max().item<double>(), 1e-6) << classes;
  }
}

TEST_F(LogisticRegression, BadTrainingSetsAreNamed) {
  const at::Tensor features = at::ones({4, 2});
  EXPECT_THROW(logistic_regression(features, at::zeros({4}, at::kLong), 2, 1), DataError);
  EXPECT_THROW(logistic_regression(features, at::full({4}, -1, at::kLong), 2, 1), DataError);
  EXPECT_THROW(logistic_regression(features * NAN, at::tensor({0, 1, 0, 1}, at::kLong), 2, 1), DataError);
  EXPECT_THROW(logistic_regression(features, at::tensor({0, 1, 0, 2}, at::kLong), 2, 1), c10::Error);
  EXPECT_THROW(logistic_regression(features, at::tensor({0, 1, 0, 1}, at::kLong), 2, 0), c10::Error);
}

}  // namespace
}  // namespace entrain::worker
