#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/safetensors.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// Checkpoint files see plain views of host memory; the tensors must stay alive and unchanged meanwhile.
std::vector<checkpoint::TensorView> views_of(const std::vector<NamedTensor>& tensors);
/// Those tensors that this rank writes (checkpoint::shard_of), on whatever device they live.
std::vector<NamedTensor> share_of(const std::vector<NamedTensor>& tensors, int rank, int world);
/// Copies every named tensor out of a checkpoint; CheckpointError names what is missing or has another shape.
void load_tensors(const checkpoint::CheckpointReader& reader, const std::vector<NamedTensor>& into);

/// A copy, in host memory, of a rank's share of the training state, taken between two steps and written while training goes on. The
/// memory is kept from one commit to the next.
class Snapshot {
 public:
  void take(const std::vector<NamedTensor>& share);
  const std::vector<checkpoint::TensorView>& tensors() const { return tensors_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_ = 0, bytes_ = 0;
  std::vector<checkpoint::TensorView> tensors_;
};

}  // namespace entrain::worker
