#include "worker/optim/device_optimizers.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"
#include "worker/optim/lars.hpp"

namespace entrain::worker {
namespace {

using Scalars = std::vector<at::Scalar>;

// What the three have in common: views of each parameter, and a number for each of them.
class DeviceOptimizer : public Optimizer {
 protected:
  DeviceOptimizer(const OptimSection& config, ParameterSet& parameters)
      : config_(config), parameters_(parameters), excluded_(excluded(config.exclude, parameters)) {
    for (const NamedTensor& p : parameters.all()) weights_.push_back(p.value);
  }

  std::vector<at::Tensor> views(const at::Tensor& flat_P) const {
    std::vector<at::Tensor> all;
    for (std::size_t i = 0; i < weights_.size(); ++i) all.push_back(parameters_.view(flat_P, i));
    return all;
  }
  template <typename Number>
  Scalars each(const Number& number) const {
    Scalars all;
    for (std::size_t i = 0; i < weights_.size(); ++i) all.emplace_back(static_cast<double>(number(i)));
    return all;
  }
  Scalars decays() const {
    return each([&](std::size_t i) { return excluded_[i] ? 0 : config_.weight_decay; });
  }
  // gradient + decay * weight, of each parameter.
  std::vector<at::Tensor> decayed(const std::vector<at::Tensor>& gradients, const Scalars& decays) const {
    std::vector<at::Tensor> out = at::_foreach_mul(weights_, decays);
    at::_foreach_add_(out, gradients);
    return out;
  }

  OptimSection config_;
  ParameterSet& parameters_;
  std::vector<at::Tensor> weights_;
  std::vector<bool> excluded_;
};

std::vector<double> norms_of(const std::vector<at::Tensor>& tensors) {
  const at::Tensor norms = at::stack(at::_foreach_norm(tensors, 2, at::kDouble)).to(at::kCPU);
  return {norms.const_data_ptr<double>(), norms.const_data_ptr<double>() + norms.numel()};
}

class DeviceLars final : public DeviceOptimizer {
 public:
  DeviceLars(const OptimSection& config, ParameterSet& parameters)
      : DeviceOptimizer(config, parameters),
        form_(lars_form(config.lars_form)),
        momentum_P_(at::zeros_like(parameters.flat())),
        momenta_(views(momentum_P_)) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads&) override {
    check_gradient(parameters_, gradient_P);
    const auto gradients = views(gradient_P);
    std::vector<at::Tensor> updates = decayed(gradients, decays());
    if (form_ == LarsForm::kPopular) {
      momentum_P_.mul_(config_.momentum);
      at::_foreach_add_(momenta_, updates);
    }
    const auto weight_norms = norms_of(weights_),
               other_norms = norms_of(form_ == LarsForm::kLightly   ? gradients
                                      : form_ == LarsForm::kPopular ? momenta_
                                                                    : updates);
    std::vector<LarsTrust> trust;
    for (std::size_t i = 0; i < weights_.size(); ++i)
      trust.push_back(excluded_[i] ? LarsTrust{1, 0}
                                   : lars_trust(form_, config_, weight_norms[i], other_norms[i]));
    if (form_ == LarsForm::kPopular) {
      const auto steps = at::_foreach_mul(momenta_, each([&](std::size_t i) { return lr * trust[i].ratio; }));
      at::_foreach_sub_(weights_, steps);
      return;
    }
    if (form_ == LarsForm::kLightly)  // its decay falls away where the ratio does
      updates = decayed(gradients, each([&](std::size_t i) { return trust[i].decay; }));
    const bool lr_inside = form_ == LarsForm::kClassic;
    at::_foreach_mul_(updates, each([&](std::size_t i) { return (lr_inside ? lr : 1) * trust[i].ratio; }));
    momentum_P_.mul_(config_.momentum);
    at::_foreach_add_(momenta_, updates);
    parameters_.flat().sub_(momentum_P_, lr_inside ? 1 : lr);
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.momentum", parameters_, momentum_P_);
    return state;
  }

 private:
  LarsForm form_;
  at::Tensor momentum_P_;
  std::vector<at::Tensor> momenta_;
};

class DeviceSgd final : public DeviceOptimizer {
 public:
  DeviceSgd(const OptimSection& config, ParameterSet& parameters)
      : DeviceOptimizer(config, parameters),
        momentum_P_(at::zeros_like(parameters.flat())),
        momenta_(views(momentum_P_)) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads&) override {
    check_gradient(parameters_, gradient_P);
    const auto updates = decayed(views(gradient_P), decays());
    momentum_P_.mul_(config_.momentum);
    at::_foreach_add_(momenta_, updates);
    parameters_.flat().sub_(momentum_P_, config_.nesterov ? lr * config_.momentum : lr);
    if (config_.nesterov) at::_foreach_sub_(weights_, updates, lr);
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.momentum", parameters_, momentum_P_);
    return state;
  }

 private:
  at::Tensor momentum_P_;
  std::vector<at::Tensor> momenta_;
};

class DeviceAdamW final : public DeviceOptimizer {
 public:
  DeviceAdamW(const OptimSection& config, ParameterSet& parameters)
      : DeviceOptimizer(config, parameters),
        mean_P_(at::zeros_like(parameters.flat())),
        square_P_(at::zeros_like(parameters.flat())),
        steps_(at::zeros({1}, at::kLong)) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads&) override {
    check_gradient(parameters_, gradient_P);
    const auto k = static_cast<double>(++*steps_.mutable_data_ptr<std::int64_t>());
    const double bias1 = 1 - std::pow(config_.beta1, k), bias2 = 1 - std::pow(config_.beta2, k);
    mean_P_.mul_(config_.beta1).add_(gradient_P, 1 - config_.beta1);
    square_P_.mul_(config_.beta2).addcmul_(gradient_P, gradient_P, 1 - config_.beta2);
    at::_foreach_mul_(weights_,
                      each([&](std::size_t i) { return excluded_[i] ? 1 : 1 - lr * config_.weight_decay; }));
    parameters_.flat().addcdiv_(mean_P_, square_P_.sqrt().mul_(1 / std::sqrt(bias2)).add_(config_.eps),
                                -lr / bias1);
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.exp_avg", parameters_, mean_P_);
    append_views(state, "optim.exp_avg_sq", parameters_, square_P_);
    state.push_back({"optim.step", steps_});
    return state;
  }

 private:
  at::Tensor mean_P_, square_P_, steps_;
};

}  // namespace

std::unique_ptr<Optimizer> make_device_optimizer(const OptimSection& config, ParameterSet& parameters) {
  if (config.name == "lars") return std::make_unique<DeviceLars>(config, parameters);
  if (config.name == "sgd") return std::make_unique<DeviceSgd>(config, parameters);
  if (config.name == "adamw") return std::make_unique<DeviceAdamW>(config, parameters);
  throw ConfigError(cat("optim.name: want lars, sgd or adamw, got \"", config.name, "\""));
}

}  // namespace entrain::worker
