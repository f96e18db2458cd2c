#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "configs/run_config.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// Updates the parameters it was made for, in place. The same bits for every number of threads and ranks:
/// norms are summed in fixed chunks (chunks.hpp), all else is elementwise. No allocation per step.
class Optimizer {
 public:
  Optimizer() = default;
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// `gradient_P` is flat and contiguous, in the ParameterSet's layout and dtype, summed over all lanes of
  /// all ranks. `lr` is the value of the schedule at this step. Does not look for non-finite values: the
  /// caller does, before.
  virtual void step(const at::Tensor& gradient_P, double lr, LaneThreads& threads) = 0;

  /// What a checkpoint must hold: optim.momentum.<parameter> (lars, sgd); optim.exp_avg.<parameter>,
  /// optim.exp_avg_sq.<parameter> and optim.step, int64 [1] (adamw). Views of live storage: copy into them to
  /// resume.
  virtual std::vector<NamedTensor> state() = 0;
};

/// The optimiser of a config, bound to `parameters` (which must outlive it and not move). Throws ConfigError
/// on a name, LARS form or exclude list that it does not know, and on a regular expression that matches no
/// parameter.
std::unique_ptr<Optimizer> make_optimizer(const OptimSection& config, ParameterSet& parameters);

}  // namespace entrain::worker
