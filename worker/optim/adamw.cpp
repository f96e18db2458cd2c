#include "worker/optim/adamw.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <cmath>

#include "worker/optim/chunks.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"

namespace entrain::worker {
namespace {

template <typename T>
struct Coefficients {
  T b1, rest1, b2, rest2, eps, rate, root;
};

// Arguments by value keep the loop free of loads that a store could change, so that it vectorises.
template <typename T>
void adamw_update(T* w, const T* g, T* m, T* s, std::int64_t count, const Coefficients<T> co, T keep) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T mean = co.b1 * m[i] + co.rest1 * g[i], square = co.b2 * s[i] + co.rest2 * (g[i] * g[i]);
    m[i] = mean;
    s[i] = square;
    w[i] = keep * w[i] - co.rate * (mean / (std::sqrt(square) * co.root + co.eps));
  }
}

class AdamW final : public Optimizer {
 public:
  AdamW(const OptimSection& config, ParameterSet& parameters)
      : config_(config),
        parameters_(parameters),
        chunks_(chunks_of(parameters)),
        mean_P_(at::zeros_like(parameters.flat())),
        square_P_(at::zeros_like(parameters.flat())),
        steps_(at::zeros({1}, at::kLong)),
        excluded_(excluded(config.exclude, parameters)) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads& threads) override {
    check_gradient(parameters_, gradient_P);
    const auto k = static_cast<double>(++*steps_.mutable_data_ptr<std::int64_t>());
    const double bias1 = 1 - std::pow(config_.beta1, k), bias2 = 1 - std::pow(config_.beta2, k);
    AT_DISPATCH_FLOATING_TYPES(gradient_P.scalar_type(), "adamw", [&] {
      Coefficients<scalar_t> co;
      co.b1 = static_cast<scalar_t>(config_.beta1);
      co.rest1 = static_cast<scalar_t>(1 - config_.beta1);
      co.b2 = static_cast<scalar_t>(config_.beta2);
      co.rest2 = static_cast<scalar_t>(1 - config_.beta2);
      co.eps = static_cast<scalar_t>(config_.eps);
      co.rate = static_cast<scalar_t>(lr / bias1);
      co.root = static_cast<scalar_t>(1 / std::sqrt(bias2));
      scalar_t* weights = parameters_.flat().mutable_data_ptr<scalar_t>();
      const scalar_t* gradients = gradient_P.const_data_ptr<scalar_t>();
      scalar_t* means = mean_P_.mutable_data_ptr<scalar_t>();
      scalar_t* squares = square_P_.mutable_data_ptr<scalar_t>();
      for_each_chunk(chunks_, threads, [&](std::size_t c) {
        const Chunk& chunk = chunks_.all[c];
        const double keep = excluded_[chunk.parameter] ? 1 : 1 - lr * config_.weight_decay;
        adamw_update(weights + chunk.first, gradients + chunk.first, means + chunk.first,
                     squares + chunk.first, chunk.count, co, static_cast<scalar_t>(keep));
      });
    });
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.exp_avg", parameters_, mean_P_);
    append_views(state, "optim.exp_avg_sq", parameters_, square_P_);
    state.push_back({"optim.step", steps_});
    return state;
  }

 private:
  OptimSection config_;
  ParameterSet& parameters_;
  Chunks chunks_;
  at::Tensor mean_P_, square_P_, steps_;
  std::vector<bool> excluded_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(const OptimSection& config, ParameterSet& parameters) {
  return std::make_unique<AdamW>(config, parameters);
}

}  // namespace entrain::worker
