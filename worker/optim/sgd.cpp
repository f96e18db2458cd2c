#include "worker/optim/sgd.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include "worker/optim/chunks.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"

namespace entrain::worker {
namespace {

class Sgd final : public Optimizer {
 public:
  Sgd(const OptimSection& config, ParameterSet& parameters)
      : config_(config),
        parameters_(parameters),
        chunks_(chunks_of(parameters)),
        momentum_P_(at::zeros_like(parameters.flat())),
        excluded_(excluded(config.exclude, parameters)) {}

  void step(const at::Tensor& gradient_P, double lr, LaneThreads& threads) override {
    check_gradient(parameters_, gradient_P);
    AT_DISPATCH_FLOATING_TYPES(gradient_P.scalar_type(), "sgd", [&] {
      scalar_t* weights = parameters_.flat().mutable_data_ptr<scalar_t>();
      const scalar_t* gradients = gradient_P.const_data_ptr<scalar_t>();
      scalar_t* momenta = momentum_P_.mutable_data_ptr<scalar_t>();
      // w -= rate (mu_again v + direct g'): one loop for both kinds of momentum.
      const auto mu = static_cast<scalar_t>(config_.momentum), rate = static_cast<scalar_t>(lr);
      const scalar_t mu_again = config_.nesterov ? mu : scalar_t{1}, direct = config_.nesterov ? 1 : 0;
      for_each_chunk(chunks_, threads, [&](std::size_t c) {
        const Chunk& chunk = chunks_.all[c];
        const auto decay = static_cast<scalar_t>(excluded_[chunk.parameter] ? 0 : config_.weight_decay);
        scalar_t* w = weights + chunk.first;
        const scalar_t* g = gradients + chunk.first;
        scalar_t* v = momenta + chunk.first;
        for (std::int64_t i = 0; i < chunk.count; ++i) {
          const scalar_t decayed = g[i] + decay * w[i];
          v[i] = mu * v[i] + decayed;
          w[i] -= rate * (direct * decayed + mu_again * v[i]);
        }
      });
    });
  }

  std::vector<NamedTensor> state() override {
    std::vector<NamedTensor> state;
    append_views(state, "optim.momentum", parameters_, momentum_P_);
    return state;
  }

 private:
  OptimSection config_;
  ParameterSet& parameters_;
  Chunks chunks_;
  at::Tensor momentum_P_;
  std::vector<bool> excluded_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const OptimSection& config, ParameterSet& parameters) {
  return std::make_unique<Sgd>(config, parameters);
}

}  // namespace entrain::worker
