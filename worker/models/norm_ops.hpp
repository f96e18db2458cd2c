#pragma once
#include <ATen/core/Tensor.h>

// What norm_kernels.hpp does on a CPU's float and double, out of the library's operations: for any device and for
// bfloat16 activations. Same shapes and meaning; statistics, gamma, beta and all sums are at least float. Every sum has an
// order that depends on the shape alone.
namespace entrain::worker::ops {

/// w [O, I, ...] -> what [O, taps, I] and r [O], written into the two.
void standardise(const at::Tensor& w_OIKK, const at::Tensor& what_OK, const at::Tensor& r_O);
/// d [O, I, ...], whose memory holds dL/dwhat in the order O, taps, I, becomes dL/dw in its own order, in place.
void standardise_backward(const at::Tensor& what_OK, const at::Tensor& r_O, at::Tensor d_OIKK);

/// [2, N, 32]: mean and 1 / sqrt(biased variance + eps).
at::Tensor group_statistics(const at::Tensor& x_NHWC);
at::Tensor norm_relu(const at::Tensor& x_NHWC, const at::Tensor& statistics, const at::Tensor& gamma_C,
                     const at::Tensor& beta_C);
void norm_relu_backward_(const at::Tensor& x_NHWC, const at::Tensor& y_NHWC, const at::Tensor& statistics,
                         const at::Tensor& gamma_C, const at::Tensor& residual_NHWC, at::Tensor d_NHWC,
                         at::Tensor dgamma_C, at::Tensor dbeta_C);

/// y and `from` (bytes 0 to 8), [N, (H - 1) / 2 + 1, (W - 1) / 2 + 1, C].
std::pair<at::Tensor, at::Tensor> zero_padded_max_pool(const at::Tensor& x_NHWC);
at::Tensor zero_padded_max_pool_backward(const at::Tensor& dy_NHWC, const at::Tensor& from,
                                         std::int64_t height, std::int64_t width);

}  // namespace entrain::worker::ops
