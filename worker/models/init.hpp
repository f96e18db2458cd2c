#pragma once
#include <cstdint>
#include <string>

#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// Convolutions N(0, 2 / fan_out) (kaiming, fan_out = out * kh * kw), gamma 1, beta 0. Touches the tensors whose name
/// begins with `prefix`. A draw depends on the seed, the tensor's name and the element's place alone, so every rank
/// and machine draws the same. No convolution begins at zero: standardisation maps 0 to 0, but multiplies its
/// gradient by 1 / sqrt(1e-10). As timm's resnetv2.py.
void initialise_encoder_(ParameterSet& parameters, const std::string& prefix, std::uint64_t seed);

/// Matrices N(0, 0.01^2), gamma 1, beta 0 (SimCLR's model_util.py).
void initialise_head_(ParameterSet& parameters, const std::string& prefix, std::uint64_t seed);

/// Fills with N(0, sigma^2), keyed by (seed, Purpose::kInit, name). For float and double, the same numbers but for
/// rounding.
void fill_normal_(const at::Tensor& t, double sigma, std::uint64_t seed, const std::string& name);

}  // namespace entrain::worker
