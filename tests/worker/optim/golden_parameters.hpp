#pragma once
#include <ATen/core/Tensor.h>

#include "worker/optim/optimizer.hpp"

// The parameters and gradients of tests/reference/optim/make_optim.py, by the same formulas.
namespace entrain::tests {

inline constexpr int kSteps = 24, kLrChange = 13;

/// Start values.
worker::ParameterSet golden_parameters(at::ScalarType dtype);
/// The flat gradient of a step.
at::Tensor golden_gradient(const worker::ParameterSet& parameters, int step);
inline double golden_rate(int step, double lr) { return step < kLrChange ? lr : 0.25 * lr; }

/// What the script writes of a flat buffer: every value of small tensors, every 197th of large ones. Double.
at::Tensor sample_of(const worker::ParameterSet& parameters, const at::Tensor& flat_P);

/// The config of one of the script's runs: classic, popular, byol, lightly, sgd, nesterov, adamw.
OptimSection golden_config(const std::string& run, double weight_decay);
/// Its learning rate before the change.
double golden_lr(const std::string& run);

/// Largest difference over the largest value.
double relative_error(const at::Tensor& got, const at::Tensor& want);

}  // namespace entrain::tests
