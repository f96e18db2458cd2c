#pragma once
#include <cstdint>

#include "configs/model_shapes.hpp"

namespace entrain::coordinator {

/// What one view costs on its way through the encoder; exact counts from the shapes.
struct ViewCost {
  std::int64_t norm_elements = 0;  ///< inputs of all GroupNorms
  std::int64_t conv_elements = 0;  ///< outputs of all convolutions
  std::int64_t macs = 0;           ///< multiply-adds of all convolutions, forward
  std::int64_t kept_elements = 0;  ///< floats that the backward pass needs to find again
};

/// For square views of `pixels`. Known values: R50x1 at 224 has 9.007 M norm elements, 11.11 M conv
/// elements, 4.087 GMAC.
ViewCost view_cost(const BitArchitecture& arch, std::int64_t pixels);

}  // namespace entrain::coordinator
