#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "configs/model_shapes.hpp"
#include "worker/models/parameters.hpp"

// The weights and images of tests/reference/models/make_models.py, made again instead of stored.
namespace entrain::tests {

/// Element i is splitmix64's finaliser of fnv1a(name) + (i + 1) * golden ratio, in [-1, 1). Double.
at::Tensor numbers(const std::string& name, const std::vector<std::int64_t>& shape);

/// The encoder's parameters, named prefix + name and filled by numbers(name). `extra` are more tensors, left at zero.
worker::ParameterSet filled_parameters(const BitArchitecture& arch, const std::string& prefix,
                                       at::ScalarType dtype, const std::vector<TensorSpec>& extra = {});

/// [8]: sum, sum of magnitudes, largest magnitude, product with numbers("summary"), four elements.
at::Tensor summary(const at::Tensor& t);

/// The largest difference between two summaries ([..., 8]), sums and product relative to the sum of magnitudes, the
/// rest to the largest magnitude, of `want`.
double summary_difference(const at::Tensor& got, const at::Tensor& want);

/// max |got - want| / max |want|; infinite if a NaN is about, or `want` is all zero.
double difference(const at::Tensor& got, const at::Tensor& want);

}  // namespace entrain::tests
