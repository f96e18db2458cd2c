#pragma once
#include <memory>

#include "worker/optim/optimizer.hpp"

namespace entrain::worker {

/// SGD with momentum as torch.optim.SGD has it; no decay for excluded parameters:
///   g' = g + decay * w, v = mu v + g', w -= lr (nesterov ? g' + mu v : v)
std::unique_ptr<Optimizer> make_sgd(const OptimSection& config, ParameterSet& parameters);

}  // namespace entrain::worker
