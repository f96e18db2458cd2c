#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "worker/collectives/lane_threads.hpp"
#include "worker/collectives/lane_tree.hpp"
#include "worker/models/encoder.hpp"

namespace entrain::worker {

/// Loss and gradient of one global batch of labelled images, the same bits on every rank.
struct SupervisedResult {
  double loss;            ///< nats, mean softmax cross entropy over the global batch
  double accuracy;        ///< share whose largest logit is that of the label
  at::Tensor gradient_P;  ///< of all parameters, summed over all lanes of all ranks
};

/// From views to gradient: encoder and classifier, lane by lane. Nothing but sums over lanes crosses ranks, so a lane
/// goes forward and back without waiting for another.
class SupervisedStep {
 public:
  /// `parameters` holds encoder and classifier ("classifier.weight" [K, F], "classifier.bias" [K]), float or double.
  /// `layout.views` is 1; every rank has a lane.
  SupervisedStep(const ParameterSet& parameters, Encoder& encoder, const LaneLayout& layout);

  /// For this rank's lane i `views(i)` makes [m, C, P, P] and `labels(i)` int64 [m], none of them -1; called once per
  /// lane, from lane threads. Collective.
  SupervisedResult gradient(const std::function<at::Tensor(std::int64_t)>& views,
                            const std::function<at::Tensor(std::int64_t)>& labels, Collectives& comm,
                            LaneThreads& threads);

 private:
  const ParameterSet& parameters_;
  Encoder& encoder_;
  const LaneLayout layout_;
  const std::size_t weight_at_, bias_at_;
  LaneReducer reducer_;
};

}  // namespace entrain::worker
