#include "worker/models/encoder.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "configs/cat.hpp"
#include "worker/models/group_norm_relu.hpp"
#include "worker/models/weight_standardisation.hpp"

namespace entrain::worker {
namespace {

at::Tensor pop(std::vector<at::Tensor>& saved) {
  at::Tensor last = std::move(saved.back());
  saved.pop_back();
  return last;
}

}  // namespace

Encoder::Encoder(const BitArchitecture& arch, ParameterSet& parameters, const std::string& prefix,
                 at::ScalarType activations)
    : arch_(arch),
      parameters_(parameters),
      prefix_(prefix),
      activations_(activations == at::ScalarType::Undefined ? parameters.flat().scalar_type() : activations),
      stem_(add_conv("stem.conv.weight", 2)) {
  for (int stage = 0; stage < 4; ++stage)
    for (std::int64_t block = 0; block < arch.units[stage]; ++block) {
      const std::string at = cat("stages.", stage, ".blocks.", block, '.');
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      Unit& unit = units_.emplace_back();
      unit.norm_a = add_norm(at + "norm1");
      unit.a = add_conv(at + "conv1.weight", 1);
      unit.norm_b = add_norm(at + "norm2");
      unit.b = add_conv(at + "conv2.weight", stride);
      unit.norm_c = add_norm(at + "norm3");
      unit.c = add_conv(at + "conv3.weight", 1);
      if (block == 0) unit.projection = add_conv(at + "downsample.conv.weight", stride);
    }
  last_ = add_norm("norm");
}

Encoder::Norm Encoder::add_norm(const std::string& name) const {
  return {parameters_.index(prefix_ + name + ".weight"), parameters_.index(prefix_ + name + ".bias")};
}

Encoder::Conv Encoder::add_conv(const std::string& name, std::int64_t stride) {
  const std::size_t weight = parameters_.index(prefix_ + name);
  const at::Tensor w_OIKK = parameters_.all()[weight].value;
  convs_.push_back({{w_OIKK.size(1), w_OIKK.size(0), w_OIKK.size(2), stride}, weight, convs_.size()});
  return convs_.back();
}

void Encoder::standardise() {
  const bool narrow = activations_ != parameters_.flat().scalar_type();
  if (standardised_OK_.empty())
    for (const Conv& conv : convs_) {
      const at::Tensor w = parameters_.all()[conv.weight].value;
      standardised_OK_.push_back(at::empty({w.size(0), w.numel() / w.size(0)}, w.options()));
      one_over_std_O_.push_back(at::empty({w.size(0)}, w.options()));
      kernels_OK_.push_back(narrow ? standardised_OK_.back().to(activations_) : standardised_OK_.back());
    }
  for (const Conv& conv : convs_) {
    worker::standardise(parameters_.all()[conv.weight].value, standardised_OK_[conv.number],
                        one_over_std_O_[conv.number]);
    if (narrow) kernels_OK_[conv.number].copy_(standardised_OK_[conv.number]);
  }
}

void Encoder::finish_gradient_(const at::Tensor& gradient_P) const {
  for (const Conv& conv : convs_)
    standardise_backward(standardised_OK_[conv.number], one_over_std_O_[conv.number],
                         parameters_.view(gradient_P, conv.weight));
}

Encoder::LaneGraph Encoder::forward_lane(const at::Tensor& x_NCPP) const {
  LaneGraph graph;
  graph.h_LF = run(x_NCPP, &graph.saved);
  return graph;
}

at::Tensor Encoder::features(const at::Tensor& x_NCPP) const { return run(x_NCPP, nullptr); }

at::Tensor Encoder::run(const at::Tensor& x_NCPP, Saved* saved) const {
  TORCH_CHECK(!standardised_OK_.empty(), "Encoder: call standardise() first");
  TORCH_CHECK(x_NCPP.dim() == 4 && x_NCPP.size(1) == arch_.in_channels, "Encoder: want [N, ",
              arch_.in_channels, ", H, W], got ", x_NCPP.sizes());
  const at::NoGradGuard no_grad;
  at::Tensor x = stem(x_NCPP.to(activations_), saved);
  for (const Unit& unit : units_) x = run_unit(unit, x, saved);
  const at::Tensor statistics = group_statistics(x);
  if (saved != nullptr) saved->insert(saved->end(), {x, statistics});
  return norm_relu(last_, x, statistics).mean({1, 2}, false, parameters_.flat().scalar_type());
}

void Encoder::backward_lane(LaneGraph&& graph, const at::Tensor& dh_LF, const at::Tensor& gradient_P,
                            const std::function<void(std::int64_t)>& complete_from) const {
  const at::NoGradGuard no_grad;
  Saved saved = std::move(graph.saved);
  const at::Tensor statistics = pop(saved), x = pop(saved);
  const double num_pixels = static_cast<double>(x.size(1) * x.size(2));
  at::Tensor d = (dh_LF / num_pixels).to(activations_).unsqueeze(1).unsqueeze(1).expand_as(x).contiguous();
  d = norm_relu_backward(last_, x, statistics, norm_relu(last_, x, statistics), {}, d, gradient_P);
  const auto tell = [&](std::size_t first_parameter) {
    if (complete_from) complete_from(parameters_.offset(first_parameter));
  };
  tell(last_.gamma);
  for (auto unit = units_.rbegin(); unit != units_.rend(); ++unit) {
    d = unit_backward(*unit, d, saved, gradient_P);
    tell(unit->norm_a.gamma);
  }
  stem_backward(d, saved, gradient_P);
}

// The stem has neither norm nor ReLU.
at::Tensor Encoder::stem(const at::Tensor& x_NCPP, Saved* saved) const {
  const at::Tensor x = x_NCPP.permute({0, 2, 3, 1}).contiguous();
  const at::Tensor y = convolve(stem_, x);
  const Pooled pooled = zero_padded_max_pool(y);
  if (saved != nullptr) saved->insert(saved->end(), {x, pooled.from});
  return pooled.y_NHWC;
}

void Encoder::stem_backward(const at::Tensor& dy, Saved& saved, const at::Tensor& gradient_P) const {
  const at::Tensor from = pop(saved), x = pop(saved);
  const std::int64_t height = (x.size(1) - 1) / 2 + 1, width = (x.size(2) - 1) / 2 + 1;
  weight_backward(stem_, zero_padded_max_pool_backward(dy, from, height, width), x, gradient_P);
}

at::Tensor Encoder::run_unit(const Unit& unit, const at::Tensor& x, Saved* saved) const {
  const at::Tensor statistics_a = group_statistics(x);
  at::Tensor o = norm_relu(unit.norm_a, x, statistics_a);
  const at::Tensor shortcut = unit.projection ? convolve(*unit.projection, o) : x;
  const at::Tensor y_a = convolve(unit.a, o), statistics_b = group_statistics(y_a);
  o = norm_relu(unit.norm_b, y_a, statistics_b);
  const at::Tensor y_b = convolve(unit.b, o), statistics_c = group_statistics(y_b);
  o = norm_relu(unit.norm_c, y_b, statistics_c);
  if (saved != nullptr) saved->insert(saved->end(), {x, statistics_a, y_a, statistics_b, y_b, statistics_c});
  return convolve(unit.c, o).add_(shortcut);
}

at::Tensor Encoder::unit_backward(const Unit& unit, const at::Tensor& dy, Saved& saved,
                                  const at::Tensor& gradient_P) const {
  const at::Tensor statistics_c = pop(saved), y_b = pop(saved);
  at::Tensor o = norm_relu(unit.norm_c, y_b, statistics_c);
  at::Tensor d = convolve_backward(unit.c, dy, o, gradient_P);
  d = norm_relu_backward(unit.norm_c, y_b, statistics_c, o, {}, d, gradient_P);

  const at::Tensor statistics_b = pop(saved), y_a = pop(saved);
  o = norm_relu(unit.norm_b, y_a, statistics_b);
  d = convolve_backward(unit.b, d, o, gradient_P);
  d = norm_relu_backward(unit.norm_b, y_a, statistics_b, o, {}, d, gradient_P);

  const at::Tensor statistics_a = pop(saved), x = pop(saved);
  o = norm_relu(unit.norm_a, x, statistics_a);
  d = convolve_backward(unit.a, d, o, gradient_P);
  if (unit.projection) d.add_(convolve_backward(*unit.projection, dy, o, gradient_P));
  return norm_relu_backward(unit.norm_a, x, statistics_a, o, unit.projection ? at::Tensor() : dy, d,
                            gradient_P);
}

at::Tensor Encoder::convolve(const Conv& conv, const at::Tensor& x) const {
  return conv.shape.forward(x, kernels_OK_[conv.number]);
}

at::Tensor Encoder::convolve_backward(const Conv& conv, const at::Tensor& dy, const at::Tensor& x,
                                      const at::Tensor& gradient_P) const {
  weight_backward(conv, dy, x, gradient_P);
  return conv.shape.backward_input(dy, kernels_OK_[conv.number], x);
}

void Encoder::weight_backward(const Conv& conv, const at::Tensor& dy, const at::Tensor& x,
                              const at::Tensor& gradient_P) const {
  conv.shape.backward_weight(dy, x, parameters_.view(gradient_P, conv.weight).view({conv.shape.out, -1}));
}

at::Tensor Encoder::norm_relu(const Norm& norm, const at::Tensor& x, const at::Tensor& statistics) const {
  return worker::norm_relu(x, statistics, parameters_.all()[norm.gamma].value,
                           parameters_.all()[norm.beta].value);
}

at::Tensor Encoder::norm_relu_backward(const Norm& norm, const at::Tensor& x, const at::Tensor& statistics,
                                       const at::Tensor& y, const at::Tensor& residual, at::Tensor d,
                                       const at::Tensor& gradient_P) const {
  norm_relu_backward_(x, y, statistics, parameters_.all()[norm.gamma].value, residual, d,
                      parameters_.view(gradient_P, norm.gamma), parameters_.view(gradient_P, norm.beta));
  return d;
}

}  // namespace entrain::worker
