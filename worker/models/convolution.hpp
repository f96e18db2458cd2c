#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entrain::worker {

/// A square convolution without bias, padded by (kernel - 1) / 2 zeros. Images are [N, H, W, C] and contiguous,
/// weights [O, kernel * kernel * I], the columns ordered (row, column, I).
struct Convolution {
  std::int64_t in, out, kernel, stride;

  at::Tensor forward(const at::Tensor& x_NHWC, const at::Tensor& weight_OK) const;
  /// `like_NHWC`: a tensor of the input's shape.
  at::Tensor backward_input(const at::Tensor& dy_NHWC, const at::Tensor& weight_OK,
                            const at::Tensor& like_NHWC) const;
  /// Overwrites dweight_OK.
  void backward_weight(const at::Tensor& dy_NHWC, const at::Tensor& x_NHWC, at::Tensor dweight_OK) const;

 private:
  bool as_matrix(const at::Tensor& y_NHWC) const;
};

}  // namespace entrain::worker
