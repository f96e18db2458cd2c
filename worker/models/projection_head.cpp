#include "worker/models/projection_head.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "configs/cat.hpp"
#include "worker/collectives/lane_tree.hpp"

namespace entrain::worker {
namespace {

constexpr double kBatchNormEps = 1e-5;
constexpr double kMomentum = 0.1;

at::Tensor rows_of(const at::Tensor& x_R, std::int64_t lane, const LaneLayout& layout) {
  return x_R.narrow(0, lane * layout.lane_rows(), layout.lane_rows());
}

// Chan's formula over equal counts, pair by pair as in tree_sum: [V, 2, C] means and sums of squared distances from
// them, of `count` rows each -> [2, C] of all rows.
at::Tensor merge_moments(at::Tensor moments_V2C, double count) {
  for (; moments_V2C.size(0) > 1; count *= 2) {
    const at::Tensor pairs = moments_V2C.unflatten(0, {-1, 2});
    const at::Tensor left = pairs.select(1, 0), right = pairs.select(1, 1);
    const at::Tensor apart = right.select(1, 0) - left.select(1, 0);
    at::Tensor merged = left + right;
    merged.select(1, 0).mul_(0.5);
    merged.select(1, 1).add_(apart.mul_(apart), count / 2);
    moments_V2C = merged;
  }
  return moments_V2C.select(0, 0);
}

}  // namespace

ProjectionHead::ProjectionHead(const ModelSection& model, std::int64_t feature_width,
                               ParameterSet& parameters, ParameterSet& buffers, const std::string& prefix)
    : parameters_(parameters), buffers_(buffers) {
  for (std::int64_t i = 0; i < model.head_layers; ++i) {
    const std::string norm = cat(prefix, "norms.", i, '.');
    Layer& layer = layers_.emplace_back();
    layer.weight = parameters.index(cat(prefix, "layers.", i, ".weight"));
    layer.gamma = parameters.index(norm + "weight");
    if (i + 1 < model.head_layers) layer.beta = parameters.index(norm + "bias");
    layer.running_mean = buffers.index(norm + "running_mean");
    layer.running_var = buffers.index(norm + "running_var");
  }
  TORCH_CHECK(!layers_.empty() && value(layers_[0].weight).size(1) == feature_width,
              "ProjectionHead: want a first layer for ", feature_width, " features");
}

at::Tensor ProjectionHead::forward(const at::Tensor& h_RF, const LaneLayout& layout, Collectives& comm,
                                   LaneThreads& threads) {
  TORCH_CHECK(h_RF.dim() == 2 && h_RF.size(0) == layout.my_rows(), "ProjectionHead: want ", layout.my_rows(),
              " rows, got ", h_RF.sizes());
  const at::NoGradGuard no_grad;
  at::Tensor x = h_RF;
  for (Layer& layer : layers_) x = layer_forward(layer, x, layout, comm, threads);
  return x;
}

at::Tensor ProjectionHead::layer_forward(Layer& layer, const at::Tensor& x_RI, const LaneLayout& layout,
                                         Collectives& comm, LaneThreads& threads) {
  const at::Tensor weight = value(layer.weight);
  at::Tensor u_RO = at::empty({x_RI.size(0), weight.size(0)}, x_RI.options());
  at::Tensor moments = at::empty({layout.mine.count, 2, weight.size(0)}, x_RI.options());
  threads.for_each(layout.mine.count, [&](std::int64_t lane) {
    at::Tensor u = rows_of(u_RO, lane, layout);
    at::mm_out(u, rows_of(x_RI, lane, layout), weight.t());
    const at::Tensor mean = u.mean(0);
    moments.select(0, lane).select(0, 0).copy_(mean);
    moments.select(0, lane).select(0, 1).copy_((u - mean).square_().sum(0));
  });

  const double count = static_cast<double>(layout.all_rows());
  const at::Tensor all =
      merge_moments(comm.all_gather_rows(moments).all, static_cast<double>(layout.lane_rows()));
  const at::Tensor mean = all.select(0, 0), squares = all.select(0, 1);
  layer.rstd_O = (squares / count + kBatchNormEps).rsqrt_();
  buffers_.all()[layer.running_mean].value.lerp_(mean, kMomentum);
  buffers_.all()[layer.running_var].value.lerp_(squares / (count - 1), kMomentum);

  layer.x_RI = x_RI;
  layer.xhat_RO = u_RO;
  layer.y_RO = at::empty_like(u_RO);
  threads.for_each(layout.mine.count, [&](std::int64_t lane) {
    const at::Tensor xhat = rows_of(layer.xhat_RO, lane, layout).sub_(mean).mul_(layer.rstd_O);
    at::Tensor y = rows_of(layer.y_RO, lane, layout);
    at::mul_out(y, xhat, value(layer.gamma));
    if (layer.beta) y.add_(value(*layer.beta)).relu_();
  });
  return layer.y_RO;
}

at::Tensor ProjectionHead::backward(const at::Tensor& dz_RD, const LaneLayout& layout, Collectives& comm,
                                    LaneThreads& threads,
                                    const std::function<at::Tensor(std::int64_t lane)>& lane_gradient) {
  TORCH_CHECK(layers_.back().y_RO.defined() && dz_RD.sizes() == layers_.back().y_RO.sizes(),
              "ProjectionHead: backward needs a forward of the same rows, got ", dz_RD.sizes());
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients_P;
  for (std::int64_t lane = 0; lane < layout.mine.count; ++lane)
    gradients_P.push_back(lane_gradient(layout.mine.first + lane));
  at::Tensor d = dz_RD;
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
    d = layer_backward(*layer, d, layout, comm, threads, gradients_P);
  return d;
}

// With g = dL/dy (where the ReLU let y through), S1 = sum g and S2 = sum g xhat over all M rows of all ranks:
// du = gamma rstd (g - S1 / M - xhat S2 / M). A lane's part of dgamma and dbeta are its own sums, not S2 and S1: the
// parts of all lanes are added up later, with everything else.
at::Tensor ProjectionHead::layer_backward(Layer& layer, const at::Tensor& dy_RO, const LaneLayout& layout,
                                          Collectives& comm, LaneThreads& threads,
                                          const std::vector<at::Tensor>& gradients_P) {
  at::Tensor g_RO = at::empty_like(dy_RO);
  at::Tensor sums = at::empty({layout.mine.count, 2, dy_RO.size(1)}, dy_RO.options());
  threads.for_each(layout.mine.count, [&](std::int64_t lane) {
    at::Tensor g = rows_of(g_RO, lane, layout);
    g.copy_(rows_of(dy_RO, lane, layout));
    if (layer.beta) g.mul_(rows_of(layer.y_RO, lane, layout).gt(0));
    const at::Tensor s1 = g.sum(0), s2 = (g * rows_of(layer.xhat_RO, lane, layout)).sum(0);
    sums.select(0, lane).select(0, 0).copy_(s1);
    sums.select(0, lane).select(0, 1).copy_(s2);
    parameters_.view(gradients_P[lane], layer.gamma).copy_(s2);
    if (layer.beta) parameters_.view(gradients_P[lane], *layer.beta).copy_(s1);
  });

  const double count = static_cast<double>(layout.all_rows());
  const at::Tensor means = tree_sum(comm.all_gather_rows(sums).all) / count;
  const at::Tensor scale = value(layer.gamma) * layer.rstd_O;
  at::Tensor dx_RI = at::empty_like(layer.x_RI);
  threads.for_each(layout.mine.count, [&](std::int64_t lane) {
    at::Tensor du = rows_of(g_RO, lane, layout);
    du.sub_(means.select(0, 0)).sub_(rows_of(layer.xhat_RO, lane, layout) * means.select(0, 1)).mul_(scale);
    at::Tensor dweight = parameters_.view(gradients_P[lane], layer.weight), dx = rows_of(dx_RI, lane, layout);
    at::mm_out(dweight, du.t(), rows_of(layer.x_RI, lane, layout));
    at::mm_out(dx, du, value(layer.weight));
  });
  return dx_RI;
}

}  // namespace entrain::worker
