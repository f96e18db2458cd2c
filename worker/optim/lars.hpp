#pragma once
#include <memory>
#include <string>

#include "worker/optim/optimizer.hpp"

namespace entrain::worker {

/// LARS (You et al. 2017) in the four forms that released code has; they differ in what the trust ratio
/// divides by and in whether the momentum buffer holds lr. With g' = g + decay * w, and t = 1 where a norm is
/// 0 or the parameter is excluded (then g' = g too):
///   classic   t = eeta |w| / |g'|       v = mu v + lr t g'    w -= v         google-research/simclr, REMEDIS
///   popular   v = mu v + g'             t = eeta |w| / |v|    w -= lr t v    there, classic_momentum=False
///   byol      t = eeta |w| / |g'|       v = mu v + t g'       w -= lr v      Barlow Twins, BYOL
///   lightly   t = eeta |w| / (|g| + decay |w| + 1e-8), then as byol         lightly, lightning-bolts
///             (where decay or a norm is 0: t = 1 and g' = g)
/// In `classic` a change of lr acts on new gradients only; in the others at once on the whole momentum.
enum class LarsForm { kClassic, kPopular, kByol, kLightly };
/// Throws ConfigError naming the four.
LarsForm lars_form(const std::string& name);

/// t and the decay to use with it, of a parameter that is not excluded; `other` is the norm that the form divides by.
struct LarsTrust {
  double ratio, decay;
};
LarsTrust lars_trust(LarsForm form, const OptimSection& config, double weights, double other);

std::unique_ptr<Optimizer> make_lars(const OptimSection& config, ParameterSet& parameters);

}  // namespace entrain::worker
