#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/store.hpp"
#include "configs/philox.hpp"

namespace entrain::tests {

/// A training state of a few tensors, 0.2 MB. Its bytes are a function of the step alone.
class State {
 public:
  explicit State(std::int64_t step) {
    Draws draws(99, Purpose::kInit, static_cast<std::uint64_t>(step));
    const auto add = [&](const std::string& name, checkpoint::DType dtype, std::vector<std::int64_t> shape) {
      checkpoint::TensorView view;
      view.name = name;
      view.dtype = dtype;
      view.shape = std::move(shape);
      std::vector<std::uint32_t> words((view.bytes() + 3) / 4);
      for (auto& word : words) word = draws.next();
      bytes_.push_back(std::move(words));
      view.data = reinterpret_cast<const std::byte*>(bytes_.back().data());
      tensors_.push_back(view);
    };
    bytes_.reserve(8);
    add("encoder.stem.conv.weight", checkpoint::DType::kF32, {16, 1, 7, 7});
    add("encoder.stages.0.weight", checkpoint::DType::kF32, {256, 64});
    add("encoder.stages.1.weight", checkpoint::DType::kF32, {300, 44});
    add("head.layers.0.weight", checkpoint::DType::kF32, {128, 64});
    add("head.norms.0.running_mean", checkpoint::DType::kF64, {128});
    add("optim.momentum.encoder.stages.0.weight", checkpoint::DType::kF32, {256, 64});
    add("step", checkpoint::DType::kI64, {});
  }
  const std::vector<checkpoint::TensorView>& tensors() const { return tensors_; }

 private:
  std::vector<std::vector<std::uint32_t>> bytes_;
  std::vector<checkpoint::TensorView> tensors_;
};

/// What `world` ranks do, one after another. Tensors go round the ranks, because shard_of() finds one file enough for
/// so small a state.
inline std::vector<checkpoint::ShardVote> write_all(checkpoint::CheckpointStore& store, std::int64_t step,
                                                    int world) {
  const State state(step);
  std::vector<checkpoint::ShardVote> votes;
  for (int rank = 0; rank < world; ++rank) {
    std::vector<checkpoint::TensorView> mine;
    for (std::size_t i = rank; i < state.tensors().size(); i += world) mine.push_back(state.tensors()[i]);
    votes.push_back(checkpoint::ShardVote::from_json(store.write_shard(step, mine, rank, world).to_json()));
  }
  return votes;
}

inline void commit_step(checkpoint::CheckpointStore& store, std::int64_t step, int world,
                        checkpoint::Ledger* ledger = nullptr, std::int64_t parent = 0) {
  store.commit(step, write_all(store, step, world),
               {{"stage", "pretrain"}, {"lanes", 8}, {"lr", 0.1}, {"parent", parent}}, ledger);
}

/// Whether a checkpoint holds exactly the state of its step.
inline bool holds_its_step(const checkpoint::Found& found) {
  const checkpoint::CheckpointReader reader(found.dir);
  const State want(found.step);
  if (reader.names().size() != want.tensors().size()) return false;
  for (const auto& tensor : want.tensors()) {
    std::vector<std::byte> got(tensor.bytes());
    reader.read(tensor.name, got.data(), got.size());
    if (std::memcmp(got.data(), tensor.data, got.size()) != 0 ||
        reader.view(tensor.name).shape != tensor.shape)
      return false;
  }
  return true;
}

}  // namespace entrain::tests
