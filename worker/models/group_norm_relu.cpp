#include "worker/models/group_norm_relu.hpp"

#include <ATen/ATen.h>

#include "worker/models/norm_kernels.hpp"
#include "worker/models/norm_ops.hpp"

namespace entrain::worker {
namespace {

kernels::Extent extent_of(const at::Tensor& x_NHWC) {
  TORCH_CHECK(x_NHWC.dim() == 4 && x_NHWC.is_contiguous() && x_NHWC.size(3) % kernels::kGroups == 0,
              "GroupNorm: want contiguous [N, H, W, C], C a multiple of 32, got ", x_NHWC.sizes());
  return {x_NHWC.size(0), x_NHWC.size(1) * x_NHWC.size(2), x_NHWC.size(3)};
}

// The kernels are for a CPU and its own numbers; everything else is the library's.
bool has_kernels(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() != at::kBFloat16; }

kernels::Images images_of(const at::Tensor& x_NHWC, std::int64_t height, std::int64_t width) {
  TORCH_CHECK(x_NHWC.dim() == 4 && x_NHWC.is_contiguous(), "pool: want contiguous [N, H, W, C]");
  return {x_NHWC.size(0), height, width, x_NHWC.size(3)};
}

}  // namespace

at::Tensor group_statistics(const at::Tensor& x_NHWC) {
  const auto extent = extent_of(x_NHWC);
  if (!has_kernels(x_NHWC)) return ops::group_statistics(x_NHWC);
  at::Tensor out = at::empty({2, extent.samples, kernels::kGroups}, x_NHWC.options());
  AT_DISPATCH_FLOATING_TYPES(x_NHWC.scalar_type(), "group_statistics", [&] {
    auto* mean = out.mutable_data_ptr<scalar_t>();
    kernels::group_statistics(x_NHWC.const_data_ptr<scalar_t>(), extent, mean,
                              mean + extent.samples * kernels::kGroups);
  });
  return out;
}

at::Tensor norm_relu(const at::Tensor& x_NHWC, const at::Tensor& statistics, const at::Tensor& gamma_C,
                     const at::Tensor& beta_C) {
  const auto extent = extent_of(x_NHWC);
  if (!has_kernels(x_NHWC)) return ops::norm_relu(x_NHWC, statistics, gamma_C, beta_C);
  at::Tensor y = at::empty_like(x_NHWC);
  AT_DISPATCH_FLOATING_TYPES(x_NHWC.scalar_type(), "norm_relu", [&] {
    const auto* mean = statistics.const_data_ptr<scalar_t>();
    kernels::norm_relu(x_NHWC.const_data_ptr<scalar_t>(), extent, mean,
                       mean + extent.samples * kernels::kGroups, gamma_C.const_data_ptr<scalar_t>(),
                       beta_C.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>());
  });
  return y;
}

void norm_relu_backward_(const at::Tensor& x_NHWC, const at::Tensor& y_NHWC, const at::Tensor& statistics,
                         const at::Tensor& gamma_C, const at::Tensor& residual_NHWC, at::Tensor d_NHWC,
                         at::Tensor dgamma_C, at::Tensor dbeta_C) {
  const auto extent = extent_of(x_NHWC);
  TORCH_CHECK(d_NHWC.is_contiguous() && d_NHWC.sizes() == x_NHWC.sizes(),
              "norm_relu_backward_: want a gradient of ", x_NHWC.sizes(), ", got ", d_NHWC.sizes());
  if (!has_kernels(x_NHWC))
    return ops::norm_relu_backward_(x_NHWC, y_NHWC, statistics, gamma_C, residual_NHWC, d_NHWC, dgamma_C,
                                    dbeta_C);
  AT_DISPATCH_FLOATING_TYPES(x_NHWC.scalar_type(), "norm_relu_backward_", [&] {
    const auto* mean = statistics.const_data_ptr<scalar_t>();
    kernels::norm_relu_backward(x_NHWC.const_data_ptr<scalar_t>(), y_NHWC.const_data_ptr<scalar_t>(), extent,
                                mean, mean + extent.samples * kernels::kGroups,
                                gamma_C.const_data_ptr<scalar_t>(),
                                residual_NHWC.defined() ? residual_NHWC.const_data_ptr<scalar_t>() : nullptr,
                                d_NHWC.mutable_data_ptr<scalar_t>(), dgamma_C.mutable_data_ptr<scalar_t>(),
                                dbeta_C.mutable_data_ptr<scalar_t>());
  });
}

Pooled zero_padded_max_pool(const at::Tensor& x_NHWC) {
  const auto images = images_of(x_NHWC, x_NHWC.size(1), x_NHWC.size(2));
  if (!has_kernels(x_NHWC)) {
    const auto [most, place] = ops::zero_padded_max_pool(x_NHWC);
    return {most, place};
  }
  const std::int64_t rows = (images.height - 1) / 2 + 1, columns = (images.width - 1) / 2 + 1;
  at::Tensor y = at::empty({images.samples, rows, columns, images.channels}, x_NHWC.options());
  at::Tensor from = at::empty(y.sizes(), at::kByte);
  AT_DISPATCH_FLOATING_TYPES(x_NHWC.scalar_type(), "zero_padded_max_pool", [&] {
    kernels::zero_padded_max_pool(x_NHWC.const_data_ptr<scalar_t>(), images, y.mutable_data_ptr<scalar_t>(),
                                  from.mutable_data_ptr<std::uint8_t>());
  });
  return {y, from};
}

at::Tensor zero_padded_max_pool_backward(const at::Tensor& dy_NHWC, const at::Tensor& from,
                                         std::int64_t height, std::int64_t width) {
  const auto images = images_of(dy_NHWC, height, width);
  if (!has_kernels(dy_NHWC)) return ops::zero_padded_max_pool_backward(dy_NHWC, from, height, width);
  at::Tensor dx = at::empty({images.samples, height, width, images.channels}, dy_NHWC.options());
  AT_DISPATCH_FLOATING_TYPES(dy_NHWC.scalar_type(), "zero_padded_max_pool_backward", [&] {
    kernels::zero_padded_max_pool_backward(dy_NHWC.const_data_ptr<scalar_t>(),
                                           from.const_data_ptr<std::uint8_t>(), images,
                                           dx.mutable_data_ptr<scalar_t>());
  });
  return dx;
}

}  // namespace entrain::worker
