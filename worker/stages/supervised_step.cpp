#include "worker/stages/supervised_step.hpp"

#include <ATen/ATen.h>

#include "worker/losses/cross_entropy.hpp"

namespace entrain::worker {

SupervisedStep::SupervisedStep(const ParameterSet& parameters, Encoder& encoder, const LaneLayout& layout)
    : parameters_(parameters),
      encoder_(encoder),
      layout_(layout),
      weight_at_(parameters.index("classifier.weight")),
      bias_at_(parameters.index("classifier.bias")),
      reducer_(layout) {
  TORCH_CHECK(layout.views == 1 && layout.mine.count > 0,
              "SupervisedStep: want one view and a lane per rank, got ", layout.views, " and ",
              layout.mine.count);
}

SupervisedResult SupervisedStep::gradient(const std::function<at::Tensor(std::int64_t)>& views,
                                          const std::function<at::Tensor(std::int64_t)>& labels,
                                          Collectives& comm, LaneThreads& threads) {
  const at::Tensor weight_KF = parameters_.all()[weight_at_].value,
                   bias_K = parameters_.all()[bias_at_].value;
  const double scale =
      1.0 / static_cast<double>(layout_.global_batch());  // of the mean over the global batch
  const at::Tensor lane_sums = at::empty({layout_.mine.count, 2}, at::kDouble);  // loss, correct

  encoder_.standardise();
  threads.for_each(layout_.mine.count, [&](std::int64_t i) {
    Encoder::LaneGraph graph = encoder_.forward_lane(views(i));
    const at::Tensor h_LF = graph.h_LF;
    const ClassLoss loss = cross_entropy(at::addmm(bias_K, h_LF, weight_KF.t()), labels(i));
    lane_sums[i][0].copy_(loss.loss_sum);
    lane_sums[i][1].fill_(static_cast<double>(loss.correct));

    const at::Tensor d_LK = loss.dlogits_LK * scale;
    at::Tensor gradient_P = reducer_.spare();
    if (!gradient_P.defined()) gradient_P = at::empty_like(parameters_.flat());
    parameters_.view(gradient_P, weight_at_).copy_(d_LK.t().mm(h_LF));
    parameters_.view(gradient_P, bias_at_).copy_(d_LK.sum(0));
    encoder_.backward_lane(std::move(graph), d_LK.mm(weight_KF), gradient_P);
    reducer_.push(layout_.mine.first + i, std::move(gradient_P));
  });
  const at::Tensor gradient_P = reducer_.sum_over_lanes(comm);
  encoder_.finish_gradient_(gradient_P);
  const at::Tensor sums = tree_sum(comm.all_gather_rows(lane_sums).all) * scale;
  return {sums[0].item<double>(), sums[1].item<double>(), gradient_P};
}

}  // namespace entrain::worker
