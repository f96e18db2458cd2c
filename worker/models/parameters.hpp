#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "configs/model_shapes.hpp"

namespace entrain::worker {

/// A named tensor: a parameter, a buffer, or a piece of optimiser state.
struct NamedTensor {
  std::string name;
  at::Tensor value;
};

/// Overwrites a contiguous tensor of any device with the bytes of one in host memory, of the same size and type.
void fill_from_bytes_(const at::Tensor& into, const std::byte* bytes);

/// All parameters of a network in one flat buffer, each a view of it, in the order of `specs`. Gradients have
/// the same layout: a flat tensor of numel() elements, cut by view().
class ParameterSet {
 public:
  /// Zeroed. `dtype` is kFloat in training, kDouble in tests.
  ParameterSet(std::vector<TensorSpec> specs, at::ScalarType dtype);

  /// The numbers, and from now on their place. Views that were taken before stay where they were.
  void move_to(at::Device device);

  const std::vector<NamedTensor>& all() const { return all_; }
  std::int64_t numel() const { return flat_.numel(); }
  at::Tensor flat() const { return flat_; }
  /// Index in all(); throws std::out_of_range with the name.
  std::size_t index(const std::string& name) const;
  at::Tensor operator[](const std::string& name) const { return all_[index(name)].value; }
  /// Where parameter i begins in a flat buffer of this layout.
  std::int64_t offset(std::size_t i) const { return offsets_.at(i); }
  /// Parameter i's part of another flat buffer of this layout, in its shape.
  at::Tensor view(const at::Tensor& flat_P, std::size_t i) const;

 private:
  std::vector<TensorSpec> specs_;
  std::vector<std::int64_t> offsets_;
  at::Tensor flat_;
  std::vector<NamedTensor> all_;
};

}  // namespace entrain::worker
