#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "worker/collectives/lane_tree.hpp"
#include "worker/losses/nt_xent.hpp"
#include "worker/models/encoder.hpp"
#include "worker/models/projection_head.hpp"

namespace entrain::worker {

/// Loss and gradient of one global batch, the same bits on every rank.
struct StepResult {
  double loss;                  ///< nats, mean over the 2G anchors of all ranks
  double contrastive_accuracy;  ///< share of anchors whose positive is the nearest row
  at::Tensor gradient_P;        ///< of all parameters, summed over all lanes of all ranks
};

/// From views to gradient: encoder lane by lane, projection head over all ranks, NT-Xent over all ranks, and back.
class ContrastiveStep {
 public:
  /// `parameters` holds encoder and head. `library_sum`: numerics fast (lane_tree.hpp).
  ContrastiveStep(const ParameterSet& parameters, Encoder& encoder, ProjectionHead& head,
                  const LaneLayout& layout, double temperature, bool library_sum = false);

  /// `views(i)` makes [2m, C, P, P] for this rank's lane i; called once per lane, from lane threads.
  /// `classes_R`: rows that are no negatives of each other (nt_xent.hpp). Collective.
  StepResult gradient(const std::function<at::Tensor(std::int64_t)>& views, Collectives& comm,
                      LaneThreads& threads, const at::Tensor& classes_R = {});

 private:
  const ParameterSet& parameters_;
  Encoder& encoder_;
  ProjectionHead& head_;
  const LaneLayout layout_;
  const double temperature_;
  const bool library_sum_;
  LaneReducer reducer_;
  std::vector<Encoder::LaneGraph> graphs_;  // of this rank's lanes, between forward and backward
  std::vector<at::Tensor> lane_gradients_;
};

}  // namespace entrain::worker
