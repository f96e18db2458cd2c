#pragma once
#include <ATen/core/Tensor.h>

#include <vector>

#include "configs/model_shapes.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::tests {

/// One thing to get wrong at a time; each must be seen by the comparison with timm.
enum class Mistake {
  kNone,
  kPoolPadsMinusInfinity,
  kStandardiseEps1e5OutsideTheRoot,
  kStandardiseUnbiased,
  kGroupNormEps1e6,
  kProjectionOfRawInput,
  kStrideOnFirst1x1,
  kNormsOfAAndBSwapped,
  kSquareKernelsTransposed,
};

struct PlainBit {
  at::Tensor h_NF;
  std::vector<at::Tensor> stages;  ///< NCHW: after the stem, after each stage, after the last norm and ReLU
};

/// BiT written down a second time, op by op in ATen (autograd works), sharing nothing with worker/models/encoder.cpp.
PlainBit plain_bit(const BitArchitecture& arch, const worker::ParameterSet& parameters,
                   const std::string& prefix, const at::Tensor& x_NCPP, Mistake mistake = Mistake::kNone);

at::Tensor plain_standardise(const at::Tensor& w_OIKK, Mistake mistake = Mistake::kNone);

}  // namespace entrain::tests
