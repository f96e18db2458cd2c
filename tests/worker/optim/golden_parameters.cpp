#include "tests/worker/optim/golden_parameters.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <vector>

namespace entrain::tests {
namespace {

struct Spec {
  const char* name;
  std::vector<std::int64_t> shape;
  double start, gradient;
};
const std::vector<Spec>& specs() {
  static const std::vector<Spec> all{{"big.weight", {90, 101}, 1.0, 0.3}, {"zero.weight", {4, 3}, 0.0, 0.5},
                                     {"still.weight", {5, 2}, 0.8, 0.0},  {"null.weight", {2, 2}, 0.0, 0.0},
                                     {"norm1.weight", {7}, 1.0, 0.2},     {"head.fc.bias", {3}, 0.5, 0.4}};
  return all;
}

at::Tensor wave(const std::vector<std::int64_t>& shape, double scale, double phase) {
  const at::Tensor t = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    const auto x = static_cast<double>(i);
    t.mutable_data_ptr<double>()[i] =
        scale * std::sin(0.37 * x + phase) * (1 + 0.5 * std::cos(0.11 * x * phase));
  }
  return t;
}

}  // namespace

worker::ParameterSet golden_parameters(at::ScalarType dtype) {
  std::vector<TensorSpec> tensors;
  for (const Spec& spec : specs()) tensors.push_back({spec.name, spec.shape});
  worker::ParameterSet parameters(tensors, dtype);
  for (std::size_t i = 0; i < specs().size(); ++i)
    parameters.all()[i].value.copy_(wave(specs()[i].shape, specs()[i].start, 1.0 + static_cast<double>(i)));
  return parameters;
}

at::Tensor golden_gradient(const worker::ParameterSet& parameters, int step) {
  at::Tensor gradient_P = at::zeros_like(parameters.flat());
  for (std::size_t i = 0; i < specs().size(); ++i)
    parameters.view(gradient_P, i)
        .copy_(wave(specs()[i].shape, specs()[i].gradient, 2.0 + static_cast<double>(i) + 0.7 * step));
  return gradient_P;
}

at::Tensor sample_of(const worker::ParameterSet& parameters, const at::Tensor& flat_P) {
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const at::Tensor values = parameters.view(flat_P, i).flatten().to(at::kDouble);
    parts.push_back(values.numel() < 100 ? values : values.slice(0, 0, values.numel(), 197));
  }
  return at::cat(parts);
}

OptimSection golden_config(const std::string& run, double weight_decay) {
  OptimSection config;
  config.weight_decay = weight_decay;
  config.momentum = 0.9;
  config.exclude = "one_dim";
  config.name = run == "adamw" ? "adamw" : run == "sgd" || run == "nesterov" ? "sgd" : "lars";
  if (config.name == "lars") config.lars_form = run;
  config.nesterov = run == "nesterov";
  config.beta1 = 0.85;
  config.beta2 = 0.98;
  config.eps = 1e-6;
  return config;
}

double golden_lr(const std::string& run) {
  return run == "adamw" ? 0.01 : run == "sgd" || run == "nesterov" ? 0.02 : 0.4;
}

double relative_error(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kDouble) - want).abs().max() / want.abs().max()).item<double>();
}

}  // namespace entrain::tests
