#include "worker/optim/sgd.hpp"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include "worker/optim/chunks.hpp"
#include "worker/optim/exclude.hpp"
#include "worker/optim/flat_state.hpp"

namespace entrain::worker {
namespace {

// One loop for both kinds of momentum: w -= rate (direct g' + again v). Arguments by value keep the loop free
// of loads that a store could change, so that it vectorises.
template <typename T>
void sgd_update(T* w, const T* g, T* v, std::int64_t count, double momentum, double weight_decay, double lr,
                bool nesterov) {
  const T mu = static_cast<T>(momentum), decay = static_cast<T>(weight_decay), rate = static_cast<T>(lr);
  const T again = nesterov ? mu : T{1}, direct = nesterov ? T{1} : T{0};
  for (std::int64_t i = 0; i < count; ++i) {
    const T decayed = g[i] + decay * w[i], next = mu * v[i] + decayed;
    v[i] = next;
    w[i] -= rate * (direct * decayed + again * next);
  }
}

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
      for_each_chunk(chunks_, threads, [&](std::size_t c) {
        const Chunk& chunk = chunks_.all[c];
        const double decay = excluded_[chunk.parameter] ? 0 : config_.weight_decay;
        sgd_update<scalar_t>(weights + chunk.first, gradients + chunk.first, momenta + chunk.first,
                             chunk.count, config_.momentum, decay, lr, config_.nesterov);
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
