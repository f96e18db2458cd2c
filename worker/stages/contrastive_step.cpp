#include "worker/stages/contrastive_step.hpp"

#include <ATen/ATen.h>

#include "worker/collectives/bucket_reducer.hpp"
#include "worker/collectives/nccl.hpp"

namespace entrain::worker {

ContrastiveStep::ContrastiveStep(const ParameterSet& parameters, Encoder& encoder, ProjectionHead& head,
                                 const LaneLayout& layout, double temperature, bool library_sum)
    : parameters_(parameters),
      encoder_(encoder),
      head_(head),
      layout_(layout),
      temperature_(temperature),
      library_sum_(library_sum),
      reducer_(layout, library_sum),
      graphs_(layout.mine.count),
      lane_gradients_(layout.mine.count) {}

StepResult ContrastiveStep::gradient(const std::function<at::Tensor(std::int64_t)>& views, Collectives& comm,
                                     LaneThreads& threads, const at::Tensor& classes_R) {
  const std::int64_t lanes = layout_.mine.count, rows = layout_.lane_rows();

  encoder_.standardise();  // once, for all lanes
  threads.for_each(lanes, [&](std::int64_t i) { graphs_[i] = encoder_.forward_lane(views(i)); });
  std::vector<at::Tensor> h_of_lanes;
  for (const Encoder::LaneGraph& graph : graphs_) h_of_lanes.push_back(graph.h_LF.detach());
  const at::Tensor h_RF = at::cat(h_of_lanes);

  const at::Tensor z_RD =
      head_.forward(h_RF, layout_, comm, threads);  // BatchNorm over the rows of all ranks
  const LossAndGradient loss =
      nt_xent(z_RD, temperature_, layout_, comm, threads, 0, classes_R);  // negatives: rows of all ranks

  const at::Tensor dh_RF = head_.backward(loss.dz_RD, layout_, comm, threads, [&](std::int64_t lane) {
    at::Tensor& gradient = lane_gradients_[lane - layout_.mine.first];
    gradient = reducer_.spare();
    if (!gradient.defined()) gradient = at::empty_like(parameters_.flat());
    return gradient;
  });
  if (auto* nccl = library_sum_ ? dynamic_cast<NcclCollectives*>(&comm) : nullptr; nccl && lanes == 1) {
    // The network is at work on the last layers while the first ones are computed.
    const at::Tensor gradient_P = std::move(lane_gradients_[0]);
    BucketReducer buckets(*nccl, gradient_P);
    encoder_.backward_lane(std::move(graphs_[0]), dh_RF, gradient_P,
                           [&](std::int64_t first) { buckets.complete_from(first); });
    buckets.finish();
    encoder_.finish_gradient_(gradient_P);
    return {loss.loss, loss.contrastive_accuracy, gradient_P};
  }
  threads.for_each(lanes, [&](std::int64_t i) {
    encoder_.backward_lane(std::move(graphs_[i]), dh_RF.narrow(0, i * rows, rows), lane_gradients_[i]);
    reducer_.push(layout_.mine.first + i, std::move(lane_gradients_[i]));
  });
  const at::Tensor gradient_P = reducer_.sum_over_lanes(comm);  // SUM: dz already carries 1/(2G)
  encoder_.finish_gradient_(gradient_P);
  return {loss.loss, loss.contrastive_accuracy, gradient_P};
}

}  // namespace entrain::worker
