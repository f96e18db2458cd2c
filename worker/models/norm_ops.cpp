#include "worker/models/norm_ops.hpp"

#include <ATen/ATen.h>

#include "worker/models/norm_kernels.hpp"

namespace entrain::worker::ops {
namespace {

using at::indexing::None;
constexpr std::int64_t kGroups = kernels::kGroups;

// Sums of bfloat16 numbers would keep eight bits of them.
at::ScalarType wide(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }

// [N, 32] per group -> [N, 1, 1, C] per channel.
at::Tensor per_channel(const at::Tensor& group_NG, std::int64_t channels) {
  return group_NG.repeat_interleave(channels / kGroups, 1).unsqueeze(1).unsqueeze(1);
}

// [N, C] -> [N, 32], summed.
at::Tensor per_group(const at::Tensor& channel_NC) {
  return channel_NC.view({channel_NC.size(0), kGroups, -1}).sum(2);
}

// The nine pixels of each window, one by one.
template <typename Act>
void for_taps(const at::Tensor& padded_NHWC, std::int64_t rows, std::int64_t columns, const Act& act) {
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 3; ++j)
      act(3 * i + j, padded_NHWC.slice(1, i, i + 2 * rows - 1, 2).slice(2, j, j + 2 * columns - 1, 2));
}

}  // namespace

void standardise(const at::Tensor& w_OIKK, const at::Tensor& what_OK, const at::Tensor& r_O) {
  const std::int64_t out = w_OIKK.size(0), in = w_OIKK.size(1);
  const at::Tensor w = w_OIKK.reshape({out, in, -1});
  const at::Tensor centred = w - w.mean({1, 2}, true);
  r_O.copy_((centred.square().mean({1, 2}) + kernels::kStandardiseEps).rsqrt_());
  what_OK.view({out, -1, in}).copy_((centred * r_O.view({out, 1, 1})).transpose(1, 2));
}

void standardise_backward(const at::Tensor& what_OK, const at::Tensor& r_O, at::Tensor d_OIKK) {
  const std::int64_t out = d_OIKK.size(0), in = d_OIKK.size(1);
  const at::Tensor d = d_OIKK.view({out, -1}), along = (d * what_OK).mean(1, true);
  const at::Tensor dw = (d - d.mean(1, true) - what_OK * along) * r_O.unsqueeze(1);
  d_OIKK.view({out, in, -1}).copy_(dw.view({out, -1, in}).transpose(1, 2));
}

at::Tensor group_statistics(const at::Tensor& x_NHWC) {
  const at::Tensor x = x_NHWC.view({x_NHWC.size(0), -1, kGroups, x_NHWC.size(3) / kGroups}).to(wide(x_NHWC));
  const auto [variance, mean] = at::var_mean(x, at::IntArrayRef{1, 3}, /*correction=*/0);
  return at::stack({mean, (variance + kernels::kGroupNormEps).rsqrt()});
}

// gamma (x - mean) rstd + beta = x scale + shift, with one scale and one shift per sample and channel.
at::Tensor norm_relu(const at::Tensor& x_NHWC, const at::Tensor& statistics, const at::Tensor& gamma_C,
                     const at::Tensor& beta_C) {
  const std::int64_t channels = x_NHWC.size(3);
  const at::Tensor mean = per_channel(statistics[0], channels),
                   scale = per_channel(statistics[1], channels) * gamma_C;
  const at::Tensor y = at::addcmul(beta_C - mean * scale, x_NHWC.to(wide(x_NHWC)), scale);
  return y.clamp_min_(0).to(x_NHWC.scalar_type());
}

// With e = dL/dy where y > 0, and sums over pixels A = sum e, B = sum e xhat:
//   dgamma = sum_n B, dbeta = sum_n A,
//   dx = rstd (gamma e - mean over the group of (gamma A) - xhat mean over the group of (gamma B)).
void norm_relu_backward_(const at::Tensor& x_NHWC, const at::Tensor& y_NHWC, const at::Tensor& statistics,
                         const at::Tensor& gamma_C, const at::Tensor& residual_NHWC, at::Tensor d_NHWC,
                         at::Tensor dgamma_C, at::Tensor dbeta_C) {
  const std::int64_t channels = x_NHWC.size(3);
  const double count = static_cast<double>(x_NHWC.size(1) * x_NHWC.size(2) * (channels / kGroups));
  const at::Tensor mean = per_channel(statistics[0], channels), rstd = per_channel(statistics[1], channels);
  const at::Tensor e = at::threshold_backward(d_NHWC, y_NHWC, 0).to(wide(x_NHWC));
  const at::Tensor xhat = (x_NHWC.to(wide(x_NHWC)) - mean).mul_(rstd);
  const at::Tensor A_NC = e.sum(at::IntArrayRef{1, 2}), B_NC = (e * xhat).sum(at::IntArrayRef{1, 2});
  dgamma_C.copy_(B_NC.sum(0));
  dbeta_C.copy_(A_NC.sum(0));
  const at::Tensor a = per_channel(per_group(A_NC * gamma_C) / count, channels),
                   b = per_channel(per_group(B_NC * gamma_C) / count, channels);
  at::Tensor dx = (e * gamma_C - a).sub_(xhat * b).mul_(rstd);
  if (residual_NHWC.defined()) dx.add_(residual_NHWC);
  d_NHWC.copy_(dx);
}

// Of equal pixels the first one is taken, as the kernel does.
std::pair<at::Tensor, at::Tensor> zero_padded_max_pool(const at::Tensor& x_NHWC) {
  const std::int64_t rows = (x_NHWC.size(1) - 1) / 2 + 1, columns = (x_NHWC.size(2) - 1) / 2 + 1;
  const at::Tensor padded = at::constant_pad_nd(x_NHWC, {0, 0, 1, 1, 1, 1});
  at::Tensor y, from;
  for_taps(padded, rows, columns, [&](std::int64_t tap, const at::Tensor& pixels) {
    if (tap == 0) {
      y = pixels.contiguous();
      from = at::zeros(y.sizes(), y.options().dtype(at::kByte));
      return;
    }
    from.masked_fill_(pixels > y, tap);
    y = at::maximum(y, pixels);
  });
  return {y, from};
}

at::Tensor zero_padded_max_pool_backward(const at::Tensor& dy_NHWC, const at::Tensor& from,
                                         std::int64_t height, std::int64_t width) {
  const at::Tensor padded =
      at::zeros({dy_NHWC.size(0), height + 2, width + 2, dy_NHWC.size(3)}, dy_NHWC.options());
  for_taps(padded, dy_NHWC.size(1), dy_NHWC.size(2),
           [&](std::int64_t tap, at::Tensor pixels) { pixels.add_(dy_NHWC.masked_fill(from != tap, 0)); });
  return padded.slice(1, 1, 1 + height).slice(2, 1, 1 + width).contiguous();
}

}  // namespace entrain::worker::ops
