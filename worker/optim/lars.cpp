#include "worker/optim/lars.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <array>
#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/optim/chunks.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"

namespace entrain::worker {
namespace {

// Two passes over the flat buffers: norms (and, for `popular`, the new momentum), then the update. Nothing in
// between is written to memory but two sums per chunk of 4096 elements.
class Lars final : public Optimizer {
 public:
  Lars(const OptimSection& config, ParameterSet& parameters)
      : form_(lars_form(config.lars_form)),
        config_(config),
        parameters_(parameters),
        chunks_(chunks_of(parameters)),
        momentum_P_(at::zeros_like(parameters.flat())),
        excluded_(excluded(config.exclude, parameters)),
        decay_(excluded_.size()),
        trust_(excluded_.size()),
        weight_sums_(chunks_.all.size()),
        other_sums_(chunks_.all.size()) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads& threads) override {
    check_gradient(parameters_, gradient_P);
    for (std::size_t i = 0; i < decay_.size(); ++i) decay_[i] = excluded_[i] ? 0 : config_.weight_decay;
    AT_DISPATCH_FLOATING_TYPES(gradient_P.scalar_type(), "lars", [&] {
      const Buffers<scalar_t> buffers{parameters_.flat().mutable_data_ptr<scalar_t>(),
                                      gradient_P.const_data_ptr<scalar_t>(),
                                      momentum_P_.mutable_data_ptr<scalar_t>()};
      for_each_chunk(chunks_, threads, [&](std::size_t c) { measure(buffers, c); });
      for (std::size_t i = 0; i < trust_.size(); ++i) trust_[i] = excluded_[i] ? 1 : trust_of(i);
      for_each_chunk(chunks_, threads, [&](std::size_t c) { update(buffers, c, lr); });
    });
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.momentum", parameters_, momentum_P_);
    return state;
  }

 private:
  template <typename T>
  struct Buffers {
    T* w;
    const T* g;
    T* v;
  };

  // Sums of squares of one chunk: of the weights, and of whatever the form divides by.
  template <typename T>
  void measure(const Buffers<T>& b, std::size_t c) {
    const Chunk& chunk = chunks_.all[c];
    if (excluded_[chunk.parameter] && form_ != LarsForm::kPopular) return;
    const T* w = b.w + chunk.first;
    const T* g = b.g + chunk.first;
    T* v = b.v + chunk.first;
    const T decay = static_cast<T>(decay_[chunk.parameter]), mu = static_cast<T>(config_.momentum);
    weight_sums_[c] = sum_of_squares(chunk.count, [w](std::int64_t i) { return w[i]; });
    if (form_ == LarsForm::kLightly) {
      other_sums_[c] = sum_of_squares(chunk.count, [g](std::int64_t i) { return g[i]; });
    } else if (form_ == LarsForm::kPopular) {
      for (std::int64_t i = 0; i < chunk.count; ++i) v[i] = mu * v[i] + (g[i] + decay * w[i]);
      other_sums_[c] = sum_of_squares(chunk.count, [v](std::int64_t i) { return v[i]; });
    } else {
      other_sums_[c] = sum_of_squares(chunk.count, [=](std::int64_t i) { return g[i] + decay * w[i]; });
    }
  }

  double norm(const std::vector<double>& sums, std::size_t parameter) const {
    const std::size_t first = chunks_.first_chunk[parameter];
    return std::sqrt(tree_of(std::span(sums).subspan(first, chunks_.first_chunk[parameter + 1] - first)));
  }

  double trust_of(std::size_t parameter) {
    const LarsTrust trust =
        lars_trust(form_, config_, norm(weight_sums_, parameter), norm(other_sums_, parameter));
    decay_[parameter] = trust.decay;
    return trust.ratio;
  }

  template <typename T>
  void update(const Buffers<T>& b, std::size_t c, double lr) const {
    const Chunk& chunk = chunks_.all[c];
    T* w = b.w + chunk.first;
    const T* g = b.g + chunk.first;
    T* v = b.v + chunk.first;
    const double trust = trust_[chunk.parameter];
    const T decay = static_cast<T>(decay_[chunk.parameter]), mu = static_cast<T>(config_.momentum);
    if (form_ == LarsForm::kPopular) {
      const T rate = static_cast<T>(lr * trust);
      for (std::int64_t i = 0; i < chunk.count; ++i) w[i] -= rate * v[i];
      return;
    }
    const bool lr_inside = form_ == LarsForm::kClassic;
    const T into_v = static_cast<T>(lr_inside ? lr * trust : trust),
            rate = static_cast<T>(lr_inside ? 1 : lr);
    for (std::int64_t i = 0; i < chunk.count; ++i) {
      const T next = mu * v[i] + into_v * (g[i] + decay * w[i]);
      v[i] = next;
      w[i] -= rate * next;
    }
  }

  LarsForm form_;
  OptimSection config_;
  ParameterSet& parameters_;
  Chunks chunks_;
  at::Tensor momentum_P_;
  std::vector<bool> excluded_;
  std::vector<double> decay_, trust_;             // per parameter, of this step
  std::vector<double> weight_sums_, other_sums_;  // per chunk, of this step
};

}  // namespace

LarsForm lars_form(const std::string& name) {
  constexpr std::array kForms{std::pair{"classic", LarsForm::kClassic},
                              std::pair{"popular", LarsForm::kPopular}, std::pair{"byol", LarsForm::kByol},
                              std::pair{"lightly", LarsForm::kLightly}};
  for (const auto& [known, form] : kForms)
    if (name == known) return form;
  throw ConfigError(cat("optim.lars_form: want classic, popular, byol or lightly, got \"", name, "\""));
}

LarsTrust lars_trust(LarsForm form, const OptimSection& config, double weights, double other) {
  const double decay = config.weight_decay;
  if (form != LarsForm::kLightly)
    return {weights > 0 && other > 0 ? config.eeta * weights / other : 1, decay};
  if (weights == 0 || other == 0 || decay == 0) return {1, 0};
  return {config.eeta * weights / (other + decay * weights + 1e-8), decay};
}

std::unique_ptr<Optimizer> make_lars(const OptimSection& config, ParameterSet& parameters) {
  return std::make_unique<Lars>(config, parameters);
}

}  // namespace entrain::worker
