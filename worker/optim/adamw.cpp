#include "worker/optim/adamw.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <cmath>

#include "worker/optim/chunks.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"

namespace entrain::worker {
namespace {

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
    const double root_of_bias2 = std::sqrt(1 - std::pow(config_.beta2, k));
    const double rate = lr / (1 - std::pow(config_.beta1, k));
    AT_DISPATCH_FLOATING_TYPES(gradient_P.scalar_type(), "adamw", [&] {
      scalar_t* weights = parameters_.flat().mutable_data_ptr<scalar_t>();
      const scalar_t* gradients = gradient_P.const_data_ptr<scalar_t>();
      scalar_t* means = mean_P_.mutable_data_ptr<scalar_t>();
      scalar_t* squares = square_P_.mutable_data_ptr<scalar_t>();
      const auto b1 = static_cast<scalar_t>(config_.beta1), rest1 = static_cast<scalar_t>(1 - config_.beta1);
      const auto b2 = static_cast<scalar_t>(config_.beta2), rest2 = static_cast<scalar_t>(1 - config_.beta2);
      const auto eps = static_cast<scalar_t>(config_.eps), step_size = static_cast<scalar_t>(rate);
      const auto root = static_cast<scalar_t>(1 / root_of_bias2);
      for_each_chunk(chunks_, threads, [&](std::size_t c) {
        const Chunk& chunk = chunks_.all[c];
        const auto keep =
            static_cast<scalar_t>(excluded_[chunk.parameter] ? 1 : 1 - lr * config_.weight_decay);
        scalar_t* w = weights + chunk.first;
        const scalar_t* g = gradients + chunk.first;
        scalar_t* m = means + chunk.first;
        scalar_t* s = squares + chunk.first;
        for (std::int64_t i = 0; i < chunk.count; ++i) {
          m[i] = b1 * m[i] + rest1 * g[i];
          s[i] = b2 * s[i] + rest2 * (g[i] * g[i]);
          w[i] = keep * w[i] - step_size * (m[i] / (std::sqrt(s[i]) * root + eps));
        }
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
