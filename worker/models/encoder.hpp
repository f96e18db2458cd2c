#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "configs/model_shapes.hpp"
#include "worker/models/convolution.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// BiT ResNet-v2: pre-activation bottlenecks, GroupNorm (32 groups, eps 1e-5), every convolution standardised (biased
/// variance, eps 1e-10 inside the root), zero-padded max-pool, no ReLU after the addition. Equal to timm's
/// resnetv2_*_bit without head (big_transfer bit_pytorch/models.py) but for timm's eps of 1e-8.
///
/// No sample sees another, so a batch may be cut into lanes at will. Forward and backward are written out by hand: what
/// is shared by all lanes (the standardised kernels) is made once a step, the ReLUs are computed again in backward
/// instead of being kept, and a lane's gradients are written where they belong. One step:
///   standardise();  per lane, on any threads: forward_lane, backward_lane;  sum over lanes;  finish_gradient_.
class Encoder {
 public:
  /// The tensors of `parameters` named prefix + bit_tensors(arch); `parameters` must outlive this. Float or double, on any
  /// device. `activations` is kBFloat16, or undefined for the parameters' own: what convolutions multiply and what is
  /// kept for backward; parameters, statistics and gradients stay as wide as the parameters.
  Encoder(const BitArchitecture& arch, ParameterSet& parameters, const std::string& prefix,
          at::ScalarType activations = at::ScalarType::Undefined);

  std::int64_t feature_width() const { return arch_.feature_width(); }

  /// Makes the standardised kernels of the parameters as they are now: call it after every change of them.
  void standardise();

  struct LaneGraph {
    at::Tensor h_LF;
    std::vector<at::Tensor>
        saved;  ///< what backward_lane needs; about 9 M numbers a view for R50x1 at 224 px
  };
  /// x_NCPP in the parameters' dtype, any number of channels arch says and any size from 32 pixels up. Any thread.
  LaneGraph forward_lane(const at::Tensor& x_NCPP) const;

  /// Writes d/d(standardised kernels), dgamma and dbeta of this lane into the encoder's slots of a flat gradient in the
  /// layout of the ParameterSet. (A kernel's slot holds its numbers in the order O, row, column, I until
  /// finish_gradient_.) Overwrites; leaves other slots alone; frees the graph piece by piece. Any thread.
  /// `complete_from(element)`, if set, is told again and again that the encoder's slots from there on are written.
  void backward_lane(LaneGraph&& graph, const at::Tensor& dh_LF, const at::Tensor& gradient_P,
                     const std::function<void(std::int64_t)>& complete_from = {}) const;

  /// Turns the sum over lanes of d/d(standardised kernels) into d/d(kernels), in place: standardisation's backward is
  /// linear. Once a step, with the parameters that standardise() saw.
  void finish_gradient_(const at::Tensor& gradient_P) const;

  /// [N, F], keeping nothing. Any thread.
  at::Tensor features(const at::Tensor& x_NCPP) const;

 private:
  struct Norm {
    std::size_t gamma, beta;  // indices in the ParameterSet
  };
  struct Conv {
    Convolution shape;
    std::size_t weight;  // index in the ParameterSet
    std::size_t number;  // index in standardised_
  };
  struct Unit {
    Norm norm_a, norm_b, norm_c;
    Conv a, b, c;
    std::optional<Conv> projection;
  };
  using Saved = std::vector<at::Tensor>;

  Norm add_norm(const std::string& name) const;
  Conv add_conv(const std::string& name, std::int64_t stride);

  at::Tensor run(const at::Tensor& x_NCPP, Saved* saved) const;
  at::Tensor stem(const at::Tensor& x_NCPP, Saved* saved) const;
  void stem_backward(const at::Tensor& dy, Saved& saved, const at::Tensor& gradient_P) const;
  at::Tensor run_unit(const Unit& unit, const at::Tensor& x, Saved* saved) const;
  at::Tensor unit_backward(const Unit& unit, const at::Tensor& dy, Saved& saved,
                           const at::Tensor& gradient_P) const;

  at::Tensor convolve(const Conv& conv, const at::Tensor& x) const;
  at::Tensor convolve_backward(const Conv& conv, const at::Tensor& dy, const at::Tensor& x,
                               const at::Tensor& gradient_P) const;
  void weight_backward(const Conv& conv, const at::Tensor& dy, const at::Tensor& x,
                       const at::Tensor& gradient_P) const;
  at::Tensor norm_relu(const Norm& norm, const at::Tensor& x, const at::Tensor& statistics) const;
  at::Tensor norm_relu_backward(const Norm& norm, const at::Tensor& x, const at::Tensor& statistics,
                                const at::Tensor& y, const at::Tensor& residual, at::Tensor d,
                                const at::Tensor& gradient_P) const;

  BitArchitecture arch_;
  ParameterSet& parameters_;
  std::string prefix_;
  std::vector<Conv> convs_;  // all, by number
  std::vector<at::Tensor> standardised_OK_, one_over_std_O_;
  std::vector<at::Tensor> kernels_OK_;  // the standardised ones as convolutions take them
  at::ScalarType activations_;
  Conv stem_;
  std::vector<Unit> units_;
  Norm last_;
};

}  // namespace entrain::worker
