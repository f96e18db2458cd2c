#include "worker/models/convolution.hpp"

#include <ATen/ATen.h>

// Two routes, chosen by the shape alone. A matrix product for 1x1 kernels, and for small outputs, whose weight
// gradient is several times slower as a convolution (measured with oneDNN 3.12: 10 to 30 of 115 GFLOP/s at 1 to 9
// output pixels, fp32; as a matrix product 80 to 100). Else the library's convolution, channels last, which needs no
// reordering of the images.
namespace entrain::worker {
namespace {

constexpr std::int64_t kSmallOutput = 9;  // pixels

at::Tensor as_rows(const at::Tensor& x_NHWC) { return x_NHWC.reshape({-1, x_NHWC.size(3)}); }
at::Tensor channels_first(const at::Tensor& x_NHWC) { return x_NHWC.permute({0, 3, 1, 2}); }
at::Tensor channels_last(const at::Tensor& x_NCHW) { return x_NCHW.permute({0, 2, 3, 1}).contiguous(); }

at::Tensor as_kernel(const at::Tensor& weight_OK, const Convolution& c) {
  return channels_first(weight_OK.view({c.out, c.kernel, c.kernel, c.in}));
}

// The pixels that a strided 1x1 kernel sees.
at::Tensor every(std::int64_t stride, const at::Tensor& x_NHWC) {
  return stride == 1 ? x_NHWC : x_NHWC.slice(1, 0, c10::nullopt, stride).slice(2, 0, c10::nullopt, stride);
}

// All windows, one below the other: [N * OH * OW, kernel * kernel * I].
at::Tensor windows(const at::Tensor& x_NHWC, const Convolution& c) {
  if (c.kernel == 1) return as_rows(every(c.stride, x_NHWC));
  const std::int64_t pad = (c.kernel - 1) / 2;
  const at::Tensor padded = at::constant_pad_nd(x_NHWC, {0, 0, pad, pad, pad, pad});
  return padded.unfold(1, c.kernel, c.stride)
      .unfold(2, c.kernel, c.stride)  // [N, OH, OW, I, kernel, kernel]
      .permute({0, 1, 2, 4, 5, 3})
      .reshape({-1, c.kernel * c.kernel * c.in});
}

// The transpose of windows(): adds every window to the pixels it was taken from.
at::Tensor sum_windows(const at::Tensor& dwindows, const Convolution& c, const at::Tensor& dy,
                       const at::Tensor& like) {
  const std::int64_t pad = (c.kernel - 1) / 2, height = like.size(1), width = like.size(2);
  const std::int64_t rows = dy.size(1), columns = dy.size(2);
  if (c.kernel == 1 && c.stride == 1) return dwindows.view(like.sizes());
  at::Tensor padded = at::zeros({like.size(0), height + 2 * pad, width + 2 * pad, c.in}, like.options());
  const at::Tensor taps = dwindows.view({like.size(0), rows, columns, c.kernel, c.kernel, c.in});
  for (std::int64_t i = 0; i < c.kernel; ++i)
    for (std::int64_t j = 0; j < c.kernel; ++j)
      padded.slice(1, i, i + (rows - 1) * c.stride + 1, c.stride)
          .slice(2, j, j + (columns - 1) * c.stride + 1, c.stride)
          .add_(taps.select(4, j).select(3, i));
  return padded.slice(1, pad, pad + height).slice(2, pad, pad + width).contiguous();
}

// Which of {input, weight} the library's backward is asked for.
at::Tensor library_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight_OK,
                            const Convolution& c, bool of_input) {
  const std::int64_t pad = (c.kernel - 1) / 2;
  const auto [dx, dw, db] = at::convolution_backward(
      channels_first(dy), channels_first(x), as_kernel(weight_OK, c).to(dy.scalar_type()), c10::nullopt,
      {c.stride, c.stride}, {pad, pad}, {1, 1}, false, {0, 0}, 1, {of_input, !of_input, false});
  return channels_last(of_input ? dx : dw);
}

}  // namespace

bool Convolution::as_matrix(const at::Tensor& y_NHWC) const {
  return kernel == 1 || y_NHWC.size(1) * y_NHWC.size(2) <= kSmallOutput;
}

at::Tensor Convolution::forward(const at::Tensor& x_NHWC, const at::Tensor& weight_OK) const {
  const std::int64_t pad = (kernel - 1) / 2;
  const std::int64_t rows = (x_NHWC.size(1) - 1) / stride + 1, columns = (x_NHWC.size(2) - 1) / stride + 1;
  if (kernel == 1 || rows * columns <= kSmallOutput)
    return windows(x_NHWC, *this).mm(weight_OK.t()).view({x_NHWC.size(0), rows, columns, out});
  return channels_last(at::convolution(channels_first(x_NHWC), as_kernel(weight_OK, *this), c10::nullopt,
                                       {stride, stride}, {pad, pad}, {1, 1}, false, {0, 0}, 1));
}

at::Tensor Convolution::backward_input(const at::Tensor& dy_NHWC, const at::Tensor& weight_OK,
                                       const at::Tensor& like_NHWC) const {
  if (as_matrix(dy_NHWC)) return sum_windows(as_rows(dy_NHWC).mm(weight_OK), *this, dy_NHWC, like_NHWC);
  return library_backward(dy_NHWC, like_NHWC, weight_OK, *this, true);
}

void Convolution::backward_weight(const at::Tensor& dy_NHWC, const at::Tensor& x_NHWC,
                                  at::Tensor dweight_OK) const {
  if (as_matrix(dy_NHWC) && dweight_OK.scalar_type() == dy_NHWC.scalar_type())
    at::mm_out(dweight_OK, as_rows(dy_NHWC).t(), windows(x_NHWC, *this));
  else if (as_matrix(dy_NHWC))
    dweight_OK.copy_(as_rows(dy_NHWC).t().mm(windows(x_NHWC, *this)));
  else
    dweight_OK.copy_(library_backward(dy_NHWC, x_NHWC, dweight_OK, *this, false).view(dweight_OK.sizes()));
}

}  // namespace entrain::worker
