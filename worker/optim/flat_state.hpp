#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// "optim.momentum" + a flat buffer -> optim.momentum.<parameter> for each parameter, views of the buffer.
void append_views(std::vector<NamedTensor>& state, const std::string& prefix, const ParameterSet& parameters,
                  const at::Tensor& flat_P);

/// Throws c10::Error unless the gradient has the layout and dtype of the parameters.
void check_gradient(const ParameterSet& parameters, const at::Tensor& gradient_P);

}  // namespace entrain::worker
