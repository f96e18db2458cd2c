#include "worker/stages/snapshot.hpp"

#include <ATen/ATen.h>

#include <cstring>

#include "checkpoint/shard.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {
namespace {

checkpoint::DType dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return checkpoint::DType::kF32;
    case at::kDouble:
      return checkpoint::DType::kF64;
    case at::kLong:
      return checkpoint::DType::kI64;
    default:
      TORCH_CHECK(false, "checkpoints hold float32, float64 and int64, not ", type);
  }
}

constexpr std::size_t kAlign = 64;
std::size_t rounded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

std::vector<checkpoint::TensorView> views_of(const std::vector<NamedTensor>& tensors) {
  std::vector<checkpoint::TensorView> views;
  for (const NamedTensor& t : tensors) {
    TORCH_CHECK(t.value.is_contiguous(), t.name, " is not contiguous");
    views.push_back({t.name, dtype_of(t.value.scalar_type()), t.value.sizes().vec(),
                     static_cast<const std::byte*>(t.value.const_data_ptr())});
  }
  return views;
}

std::vector<checkpoint::TensorView> share_of(const std::vector<NamedTensor>& tensors, int rank, int world) {
  const auto views = views_of(tensors);
  std::vector<checkpoint::TensorView> mine;
  for (const std::size_t i : checkpoint::shard_of(views, rank, world)) mine.push_back(views[i]);
  return mine;
}

void load_tensors(const checkpoint::CheckpointReader& reader, const std::vector<NamedTensor>& into) {
  for (const NamedTensor& t : into) {
    const checkpoint::TensorView view = reader.view(t.name);
    if (view.shape != t.value.sizes().vec() || view.dtype != dtype_of(t.value.scalar_type()))
      throw CheckpointError(cat(t.name, " has shape ", at::IntArrayRef(view.shape),
                                " in the checkpoint, but ", t.value.sizes(), " in this run"));
    std::copy_n(view.data, view.bytes(), static_cast<std::byte*>(t.value.mutable_data_ptr()));
  }
}

void Snapshot::take(const std::vector<checkpoint::TensorView>& share) {
  bytes_ = 0;
  for (const auto& t : share) bytes_ += rounded(t.bytes());
  if (bytes_ > capacity_) {
    memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
    capacity_ = bytes_;
  }
  tensors_ = share;
  std::size_t at = 0;
  for (auto& t : tensors_) {
    if (t.bytes() > 0) std::memcpy(memory_.get() + at, t.data, t.bytes());
    t.data = memory_.get() + at;
    at += rounded(t.bytes());
  }
}

}  // namespace entrain::worker
