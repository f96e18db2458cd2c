#include "worker/optim/flat_state.hpp"

#include <ATen/ATen.h>

namespace entrain::worker {

void append_views(std::vector<NamedTensor>& state, const std::string& prefix, const ParameterSet& parameters,
                  const at::Tensor& flat_P) {
  for (std::size_t i = 0; i < parameters.all().size(); ++i)
    state.push_back({prefix + "." + parameters.all()[i].name, parameters.view(flat_P, i)});
}

void check_gradient(const ParameterSet& parameters, const at::Tensor& gradient_P) {
  TORCH_CHECK(gradient_P.dim() == 1 && gradient_P.numel() == parameters.numel() &&
                  gradient_P.is_contiguous() && gradient_P.scalar_type() == parameters.flat().scalar_type(),
              "optimizer: want a flat gradient of ", parameters.numel(), " ", parameters.flat().scalar_type(),
              " elements, got ", gradient_P.sizes(), " ", gradient_P.scalar_type());
}

}  // namespace entrain::worker
