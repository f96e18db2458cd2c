#include "worker/models/parameters.hpp"

#include <ATen/ATen.h>

#include <cstring>
#include <stdexcept>

#include "configs/cat.hpp"

namespace entrain::worker {

void fill_from_bytes_(const at::Tensor& into, const std::byte* bytes) {
  const at::Tensor host = into.is_cpu() ? into : at::empty(into.sizes(), into.scalar_type());
  if (host.nbytes() > 0) std::memcpy(host.mutable_data_ptr(), bytes, host.nbytes());
  if (!into.is_cpu()) at::Tensor(into).copy_(host);
}

ParameterSet::ParameterSet(std::vector<TensorSpec> specs, at::ScalarType dtype) : specs_(std::move(specs)) {
  std::int64_t numel = 0;
  for (const TensorSpec& spec : specs_) {
    offsets_.push_back(numel);
    numel += spec.numel();
  }
  flat_ = at::zeros({numel}, dtype);
  for (std::size_t i = 0; i < specs_.size(); ++i) all_.push_back({specs_[i].name, view(flat_, i)});
}

void ParameterSet::move_to(at::Device device) {
  flat_ = flat_.to(device);
  for (std::size_t i = 0; i < specs_.size(); ++i) all_[i].value = view(flat_, i);
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
