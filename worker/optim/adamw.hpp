#pragma once
#include <memory>

#include "worker/optim/optimizer.hpp"

namespace entrain::worker {

/// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW has it, k counting steps from 1:
///   w *= 1 - lr * decay (not for excluded parameters), m = b1 m + (1 - b1) g, s = b2 s + (1 - b2) g^2,
///   w -= lr / (1 - b1^k) * m / (sqrt(s / (1 - b2^k)) + eps)
/// k is part of the state, so a resume is exact.
std::unique_ptr<Optimizer> make_adamw(const OptimSection& config, ParameterSet& parameters);

}  // namespace entrain::worker
