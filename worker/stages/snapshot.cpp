#include "worker/stages/snapshot.hpp"

#include <ATen/ATen.h>

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

checkpoint::TensorView described(const NamedTensor& t, const std::byte* data) {
  TORCH_CHECK(t.value.is_contiguous(), t.name, " is not contiguous");
  return {t.name, dtype_of(t.value.scalar_type()), t.value.sizes().vec(), data};
}

constexpr std::size_t kAlign = 64;
std::size_t rounded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

std::vector<checkpoint::TensorView> views_of(const std::vector<NamedTensor>& tensors) {
  std::vector<checkpoint::TensorView> views;
  for (const NamedTensor& t : tensors)
    views.push_back(described(t, static_cast<const std::byte*>(t.value.const_data_ptr())));
  return views;
}

std::vector<NamedTensor> share_of(const std::vector<NamedTensor>& tensors, int rank, int world) {
  std::vector<checkpoint::TensorView> sizes;
  for (const NamedTensor& t : tensors) sizes.push_back(described(t, nullptr));
  std::vector<NamedTensor> mine;
  for (const std::size_t i : checkpoint::shard_of(sizes, rank, world)) mine.push_back(tensors[i]);
  return mine;
}

void load_tensors(const checkpoint::CheckpointReader& reader, const std::vector<NamedTensor>& into) {
  for (const NamedTensor& t : into) {
    const checkpoint::TensorView view = reader.view(t.name);
    if (view.shape != t.value.sizes().vec() || view.dtype != dtype_of(t.value.scalar_type()))
      throw CheckpointError(cat(t.name, " has shape ", at::IntArrayRef(view.shape),
                                " in the checkpoint, but ", t.value.sizes(), " in this run"));
    fill_from_bytes_(t.value, view.data);
  }
}

void Snapshot::take(const std::vector<NamedTensor>& share) {
  bytes_ = 0;
  for (const NamedTensor& t : share) bytes_ += rounded(t.value.nbytes());
  if (bytes_ > capacity_) {
    memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
    capacity_ = bytes_;
  }
  tensors_.clear();
  std::byte* at = memory_.get();
  for (const NamedTensor& t : share) {
    if (t.value.numel() > 0) at::from_blob(at, t.value.sizes(), t.value.scalar_type()).copy_(t.value);
    tensors_.push_back(described(t, at));
    at += rounded(t.value.nbytes());
  }
}

}  // namespace entrain::worker
