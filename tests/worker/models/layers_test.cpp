#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/models/bit_numbers.hpp"
#include "worker/models/convolution.hpp"
#include "worker/models/group_norm_relu.hpp"
#include "worker/models/norm_kernels.hpp"

// The pieces that the encoder is made of, each beside ATen's op and its autograd, at ragged sizes.
namespace entrain::tests {
namespace {

at::Tensor leaf(const std::string& name, const std::vector<std::int64_t>& shape,
                at::ScalarType dtype = at::kDouble) {
  return numbers(name, shape).to(dtype).requires_grad_(true);
}
at::Tensor nhwc(const at::Tensor& x_NCHW) { return x_NCHW.detach().permute({0, 2, 3, 1}).contiguous(); }
at::Tensor nchw(const at::Tensor& x_NHWC) { return x_NHWC.permute({0, 3, 1, 2}); }

struct NormCase {
  std::int64_t channels, height, width;
  bool residual;
};
class NormRelu : public ::testing::TestWithParam<NormCase> {};

void expect_norm_relu(const NormCase& c, at::ScalarType dtype, double tolerance) {
  const at::Tensor x = leaf("x", {3, c.channels, c.height, c.width}, dtype);
  const at::Tensor gamma = leaf("gamma", {c.channels}, dtype), beta = leaf("beta", {c.channels}, dtype);
  const at::Tensor dy = numbers("dy", x.sizes().vec()).to(dtype),
                   extra = numbers("extra", x.sizes().vec()).to(dtype);
  const at::Tensor want = at::group_norm(x, 32, gamma, beta, 1e-5).relu();
  want.backward(dy);

  const at::Tensor statistics = worker::group_statistics(nhwc(x));
  const at::Tensor y = worker::norm_relu(nhwc(x), statistics, gamma.detach(), beta.detach());
  at::Tensor d = nhwc(dy), dgamma = at::full({c.channels}, NAN, d.options()), dbeta = dgamma.clone();
  worker::norm_relu_backward_(nhwc(x), y, statistics, gamma.detach(), c.residual ? nhwc(extra) : at::Tensor(),
                              d, dgamma, dbeta);
  EXPECT_LT(difference(nchw(y), want.detach()), tolerance);
  EXPECT_LT(difference(nchw(d), c.residual ? x.grad() + extra : x.grad()), tolerance);
  EXPECT_LT(difference(dgamma, gamma.grad()), tolerance);
  EXPECT_LT(difference(dbeta, beta.grad()), tolerance);
}
TEST_P(NormRelu, EqualsAtenAndItsAutogradInDouble) { expect_norm_relu(GetParam(), at::kDouble, 1e-11); }
TEST_P(NormRelu, EqualsAtenAndItsAutogradInFloat) { expect_norm_relu(GetParam(), at::kFloat, 2e-5); }
INSTANTIATE_TEST_SUITE_P(Ragged, NormRelu,
                         ::testing::Values(NormCase{32, 5, 7, false}, NormCase{96, 1, 3, true},
                                           NormCase{64, 9, 8, true}, NormCase{224, 1, 1, false},
                                           NormCase{32, 40, 33, true}));

TEST(NormReluKernel, KeepsTheVarianceOfValuesFarFromZero) {
  const at::Tensor x = 1000 + numbers("far", {1, 8, 8, 32}).to(at::kFloat);
  const at::Tensor want = worker::group_statistics(x.to(at::kDouble));
  EXPECT_LT(difference(worker::group_statistics(x).select(0, 1), want.select(0, 1)), 1e-5);
}

TEST(NormReluKernel, PassesNanOn) {
  at::Tensor x = numbers("x", {1, 2, 2, 64});
  x.view({-1})[5] = NAN;
  const at::Tensor y = worker::norm_relu(x, worker::group_statistics(x), at::ones({64}, at::kDouble),
                                         at::zeros({64}, at::kDouble));
  EXPECT_EQ(y.isnan().sum().item<std::int64_t>(), 2 * 4) << "one group of two channels at four pixels";
}

struct PoolCase {
  std::int64_t height, width;
};
class Pool : public ::testing::TestWithParam<PoolCase> {};
TEST_P(Pool, EqualsAtenOnZeroPaddedImagesWithTies) {
  const auto [height, width] = GetParam();
  // Few values, most of them negative: ties, and windows at the border whose largest is the padding.
  const at::Tensor x = (numbers("pool", {2, 32, height, width}) * 3 - 2).round().requires_grad_(true);
  const at::Tensor want = at::max_pool2d(at::constant_pad_nd(x, {1, 1, 1, 1}), {3, 3}, {2, 2});
  const at::Tensor dy = numbers("dy", want.sizes().vec());
  want.backward(dy);
  const auto pooled = worker::zero_padded_max_pool(nhwc(x));
  EXPECT_TRUE(at::equal(nchw(pooled.y_NHWC), want.detach()));
  const at::Tensor dx = worker::zero_padded_max_pool_backward(nhwc(dy), pooled.from, height, width);
  EXPECT_LT(difference(nchw(dx), x.grad()), 1e-15);
  ASSERT_GT((x.grad().sum() - dy.sum()).abs().item<double>(), 1e-3) << "no window chose the padding";
}
INSTANTIATE_TEST_SUITE_P(Sizes, Pool,
                         ::testing::Values(PoolCase{16, 16}, PoolCase{17, 12}, PoolCase{1, 1},
                                           PoolCase{2, 5}));

struct ConvCase {
  std::int64_t in, out, kernel, stride, height, width;
};
class Convolve : public ::testing::TestWithParam<ConvCase> {};
TEST_P(Convolve, EqualsAtenAndItsAutograd) {
  const auto c = GetParam();
  const std::int64_t pad = (c.kernel - 1) / 2;
  const at::Tensor x = leaf("x", {2, c.in, c.height, c.width}),
                   w = leaf("w", {c.out, c.in, c.kernel, c.kernel});
  const at::Tensor want = at::conv2d(x, w, {}, {c.stride, c.stride}, {pad, pad});
  const at::Tensor dy = numbers("dy", want.sizes().vec());
  want.backward(dy);

  const worker::Convolution conv{c.in, c.out, c.kernel, c.stride};
  const at::Tensor w_OK = nhwc(w).view({c.out, -1});
  at::Tensor dw_OK = at::full_like(w_OK, NAN);
  conv.backward_weight(nhwc(dy), nhwc(x), dw_OK);
  EXPECT_LT(difference(nchw(conv.forward(nhwc(x), w_OK)), want.detach()), 1e-12);
  EXPECT_LT(difference(nchw(conv.backward_input(nhwc(dy), w_OK, nhwc(x))), x.grad()), 1e-12);
  EXPECT_LT(difference(nchw(dw_OK.view({c.out, c.kernel, c.kernel, c.in})), w.grad()), 1e-12);
}
INSTANTIATE_TEST_SUITE_P(BothRoutes, Convolve,
                         ::testing::Values(ConvCase{1, 8, 7, 2, 33, 40}, ConvCase{3, 8, 7, 2, 16, 9},
                                           ConvCase{8, 16, 1, 1, 5, 7}, ConvCase{8, 16, 1, 2, 5, 8},
                                           ConvCase{8, 8, 3, 1, 9, 11}, ConvCase{8, 4, 3, 2, 9, 12},
                                           ConvCase{8, 4, 3, 1, 3, 3}, ConvCase{8, 4, 3, 2, 5, 6},
                                           ConvCase{8, 4, 3, 1, 1, 1}, ConvCase{8, 4, 3, 2, 2, 1}));

}  // namespace
}  // namespace entrain::tests
