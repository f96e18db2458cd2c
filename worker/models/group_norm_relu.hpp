#pragma once
#include <ATen/core/Tensor.h>

// GroupNorm of 32 groups followed by ReLU, on contiguous channels-last images of float or double; one thread.
namespace entrain::worker {

/// [2, N, 32]: means and 1 / sqrt(biased variance + 1e-5) of each sample's groups of neighbouring channels.
at::Tensor group_statistics(const at::Tensor& x_NHWC);

/// max(0, gamma (x - mean) rstd + beta).
at::Tensor norm_relu(const at::Tensor& x_NHWC, const at::Tensor& statistics, const at::Tensor& gamma_C,
                     const at::Tensor& beta_C);

/// Turns dL/dy in d_NHWC into dL/dx, in place, plus `residual_NHWC` if it is defined; y_NHWC as norm_relu gave it.
/// Overwrites dgamma_C and dbeta_C.
void norm_relu_backward_(const at::Tensor& x_NHWC, const at::Tensor& y_NHWC, const at::Tensor& statistics,
                         const at::Tensor& gamma_C, const at::Tensor& residual_NHWC, at::Tensor d_NHWC,
                         at::Tensor dgamma_C, at::Tensor dbeta_C);

struct Pooled {
  at::Tensor y_NHWC;
  at::Tensor from;  ///< uint8, which of the nine pixels of a window was the largest
};
/// One pixel of zeros around, then max-pool 3x3 at stride 2 (not the same as a pool padded with -inf: x is signed).
Pooled zero_padded_max_pool(const at::Tensor& x_NHWC);
/// `height`, `width`: of the pool's input.
at::Tensor zero_padded_max_pool_backward(const at::Tensor& dy_NHWC, const at::Tensor& from,
                                         std::int64_t height, std::int64_t width);

}  // namespace entrain::worker
