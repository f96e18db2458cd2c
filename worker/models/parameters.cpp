#include "worker/models/parameters.hpp"

#include <ATen/ATen.h>

#include <stdexcept>

#include "configs/cat.hpp"

namespace entrain::worker {

ParameterSet::ParameterSet(std::vector<TensorSpec> specs, at::ScalarType dtype) : specs_(std::move(specs)) {
  std::int64_t numel = 0;
  for (const TensorSpec& spec : specs_) {
    offsets_.push_back(numel);
    numel += spec.numel();
  }
  flat_ = at::zeros({numel}, dtype);
  for (std::size_t i = 0; i < specs_.size(); ++i) all_.push_back({specs_[i].name, view(flat_, i)});
}

std::size_t ParameterSet::index(const std::string& name) const {
  for (std::size_t i = 0; i < specs_.size(); ++i)
    if (specs_[i].name == name) return i;
  throw std::out_of_range(cat("ParameterSet: no tensor \"", name, "\" among ", specs_.size()));
}

at::Tensor ParameterSet::view(const at::Tensor& flat_P, std::size_t i) const {
  TORCH_CHECK(flat_P.dim() == 1 && flat_P.size(0) == flat_.size(0), "ParameterSet: want a flat tensor of ",
              flat_.size(0), " elements, got ", flat_P.sizes());
  const TensorSpec& spec = specs_.at(i);
  return flat_P.narrow(0, offsets_[i], spec.numel()).view(spec.shape);
}

}  // namespace entrain::worker
