#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "configs/run_config.hpp"
#include "worker/collectives/collectives.hpp"
#include "worker/collectives/lane_layout.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// SimCLR's projection head: (Linear without bias, BatchNorm, ReLU) and a last Linear + BatchNorm without beta or ReLU
/// (google-research/medical-ai-research-foundations model_util.py). BatchNorm's statistics are over the rows of all
/// ranks (both views, eps 1e-5, biased variance), so the head computes the same function on any number of ranks; lane
/// by lane at fixed shapes and with sums by the lane tree, it computes the same bits. Float or double.
class ProjectionHead {
 public:
  /// Tensors named prefix + projection_head_tensors(), and prefix + projection_head_buffers() in `buffers`. Both must
  /// outlive this.
  ProjectionHead(const ModelSection& model, std::int64_t feature_width, ParameterSet& parameters,
                 ParameterSet& buffers, const std::string& prefix);

  /// z [R, D] of this rank's rows h [R, F], in the order of `layout`. Keeps what backward needs until the next
  /// forward; moves the running statistics (momentum 0.1, unbiased variance, as torch.nn.BatchNorm1d). Collective: one
  /// all-gather per layer.
  at::Tensor forward(const at::Tensor& h_RF, const LaneLayout& layout, Collectives& comm,
                     LaneThreads& threads);

  /// dL/dh [R, F]. Asks for a flat gradient (layout of the ParameterSet) for each lane of this rank, by its number
  /// among all lanes, once and from this thread, and overwrites the head's slots of it with that lane's own part:
  /// the sum over all lanes is the gradient. Collective: one all-gather per layer.
  at::Tensor backward(const at::Tensor& dz_RD, const LaneLayout& layout, Collectives& comm,
                      LaneThreads& threads,
                      const std::function<at::Tensor(std::int64_t lane)>& lane_gradient);

 private:
  struct Layer {
    std::size_t weight, gamma;        // indices in the ParameterSet
    std::optional<std::size_t> beta;  // a layer that has one is followed by a ReLU
    std::size_t running_mean, running_var;
    at::Tensor x_RI, xhat_RO, y_RO, rstd_O;  // of the last forward
  };
  at::Tensor layer_forward(Layer& layer, const at::Tensor& x_RI, const LaneLayout& layout, Collectives& comm,
                           LaneThreads& threads);
  at::Tensor layer_backward(Layer& layer, const at::Tensor& dy_RO, const LaneLayout& layout,
                            Collectives& comm, LaneThreads& threads,
                            const std::vector<at::Tensor>& gradients_P);
  at::Tensor value(std::size_t i) const { return parameters_.all()[i].value; }

  ParameterSet& parameters_;
  ParameterSet& buffers_;
  std::vector<Layer> layers_;
};

}  // namespace entrain::worker
