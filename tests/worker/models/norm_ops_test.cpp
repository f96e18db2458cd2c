// The library's operations, which compute on other devices and in bfloat16, beside the kernels that the CPU uses.
#include "worker/models/norm_ops.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/models/bit_numbers.hpp"
#include "worker/models/group_norm_relu.hpp"
#include "worker/models/norm_kernels.hpp"

namespace entrain::tests {
namespace {

namespace ops = worker::ops;

struct Sizes {
  std::int64_t channels, height, width;
  bool residual;
};
class NormOps : public ::testing::TestWithParam<Sizes> {};

struct Gradients {
  at::Tensor y, dx, dgamma, dbeta;
};

template <typename Statistics, typename Forward, typename Backward>
Gradients through(const Sizes& s, at::ScalarType inputs, at::ScalarType activations,
                  const Statistics& statistics_of, const Forward& forward, const Backward& backward) {
  const auto sums = activations == at::kDouble ? at::kDouble : at::kFloat;
  const std::vector<std::int64_t> shape{3, s.height, s.width, s.channels};
  const auto rounded = [&](const at::Tensor& t) { return t.to(inputs).to(activations); };
  const at::Tensor x = rounded(numbers("x", shape) + 0.5);
  const at::Tensor gamma = numbers("gamma", {s.channels}).to(sums),
                   beta = numbers("beta", {s.channels}).to(sums);
  const at::Tensor statistics = statistics_of(x);
  Gradients out;
  out.y = forward(x, statistics, gamma, beta);
  out.dx = rounded(numbers("dy", shape));
  out.dgamma = at::full({s.channels}, NAN, gamma.options());
  out.dbeta = out.dgamma.clone();
  backward(x, out.y, statistics, gamma, s.residual ? rounded(numbers("extra", shape)) : at::Tensor(), out.dx,
           out.dgamma, out.dbeta);
  return out;
}
Gradients by_ops(const Sizes& s, at::ScalarType activations) {
  return through(s, activations, activations, ops::group_statistics, ops::norm_relu,
                 ops::norm_relu_backward_);
}
Gradients by_kernels(const Sizes& s, at::ScalarType inputs, at::ScalarType activations) {
  return through(s, inputs, activations, worker::group_statistics, worker::norm_relu,
                 worker::norm_relu_backward_);
}

void expect_close(const Gradients& got, const Gradients& want, double tolerance) {
  EXPECT_LT(difference(got.y, want.y), tolerance);
  EXPECT_LT(difference(got.dx, want.dx), tolerance);
  EXPECT_LT(difference(got.dgamma, want.dgamma), tolerance);
  EXPECT_LT(difference(got.dbeta, want.dbeta), tolerance);
}

TEST_P(NormOps, EqualTheKernels) {
  expect_close(by_ops(GetParam(), at::kDouble), by_kernels(GetParam(), at::kDouble, at::kDouble), 1e-11);
  expect_close(by_ops(GetParam(), at::kFloat), by_kernels(GetParam(), at::kFloat, at::kFloat), 3e-5);
}

// On inputs that bfloat16 holds: what is lost is in the roundings of y and dx, 2^-9 of each.
TEST_P(NormOps, AreCloseInBfloat16AndNotEqual) {
  const Gradients narrow = by_ops(GetParam(), at::kBFloat16),
                  wide = by_kernels(GetParam(), at::kBFloat16, at::kDouble);
  EXPECT_EQ(narrow.y.scalar_type(), at::kBFloat16);
  EXPECT_EQ(narrow.dx.scalar_type(), at::kBFloat16);
  EXPECT_EQ(narrow.dgamma.scalar_type(), at::kFloat);
  const auto as_double = [](const Gradients& g) {
    return Gradients{g.y.to(at::kDouble), g.dx.to(at::kDouble), g.dgamma.to(at::kDouble),
                     g.dbeta.to(at::kDouble)};
  };
  expect_close(as_double(narrow), wide, 0.004);
  EXPECT_GT(difference(narrow.y.to(at::kDouble), wide.y), 1e-5);
}
INSTANTIATE_TEST_SUITE_P(Ragged, NormOps,
                         ::testing::Values(Sizes{32, 5, 7, false}, Sizes{96, 1, 3, true},
                                           Sizes{64, 9, 8, true}, Sizes{32, 40, 33, true}));

TEST(NormOps, KeepTheVarianceOfValuesFarFromZero) {
  const at::Tensor x = 1000 + numbers("far", {1, 8, 8, 32}).to(at::kFloat);
  EXPECT_LT(difference(ops::group_statistics(x)[1], worker::group_statistics(x.to(at::kDouble))[1]), 1e-5);
}

TEST(NormOps, PassNanOn) {
  at::Tensor x = numbers("x", {1, 2, 2, 64});
  x.view({-1})[5] = NAN;
  const at::Tensor one = at::ones({64}, at::kDouble);
  EXPECT_EQ(ops::norm_relu(x, ops::group_statistics(x), one, one).isnan().sum().item<std::int64_t>(), 2 * 4);
}

TEST(PoolOps, EqualTheKernelsAlsoWhereNumbersTie) {
  for (const auto& [height, width] :
       {std::pair{16, 16}, std::pair{17, 12}, std::pair{1, 1}, std::pair{2, 5}}) {
    const at::Tensor x = (numbers("pool", {2, height, width, 32}) * 3 - 2).round();
    const auto [y, from] = ops::zero_padded_max_pool(x);
    const auto want = worker::zero_padded_max_pool(x);
    EXPECT_TRUE(at::equal(y, want.y_NHWC));
    EXPECT_TRUE(at::equal(from, want.from));
    EXPECT_GT(from.max().item<int>(), 0);
    const at::Tensor dy = numbers("dy", y.sizes().vec());
    EXPECT_LT(difference(ops::zero_padded_max_pool_backward(dy, from, height, width),
                         worker::zero_padded_max_pool_backward(dy, from, height, width)),
              1e-15);
  }
}

TEST(StandardiseOps, EqualTheKernels) {
  const at::Tensor w = numbers("w", {24, 5, 3, 3}) + 0.3;
  const worker::kernels::Filters filters{24, 5, 9};
  at::Tensor what = at::empty({24, 45}, w.options()), r = at::empty({24}, w.options());
  const at::Tensor want_what = at::empty_like(what), want_r = at::empty_like(r);
  worker::kernels::standardise(w.const_data_ptr<double>(), filters, want_what.mutable_data_ptr<double>(),
                               want_r.mutable_data_ptr<double>());
  ops::standardise(w, what, r);
  EXPECT_LT(difference(what, want_what), 1e-13);
  EXPECT_LT(difference(r, want_r), 1e-13);

  at::Tensor d = numbers("d", w.sizes().vec()), want_d = d.clone();
  worker::kernels::standardise_backward(want_what.const_data_ptr<double>(), want_r.const_data_ptr<double>(),
                                        filters, want_d.mutable_data_ptr<double>());
  ops::standardise_backward(what, r, d);
  EXPECT_LT(difference(d, want_d), 1e-13);
  EXPECT_GT(difference(d, numbers("d", w.sizes().vec())), 1e-2);
}

}  // namespace
}  // namespace entrain::tests
