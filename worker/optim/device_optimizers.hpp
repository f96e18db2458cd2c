#pragma once
#include <memory>

#include "worker/optim/optimizer.hpp"

namespace entrain::worker {

/// The same three optimisers out of the library's operations, for parameters on any device: same updates, same state. One
/// transfer of two numbers per parameter and step (LARS), none otherwise. Deterministic where the library is.
std::unique_ptr<Optimizer> make_device_optimizer(const OptimSection& config, ParameterSet& parameters);

}  // namespace entrain::worker
