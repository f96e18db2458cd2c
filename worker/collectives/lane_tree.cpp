#include "worker/collectives/lane_tree.hpp"

#include <ATen/ATen.h>

#include <bit>

#include "configs/cat.hpp"

namespace entrain::worker {

at::Tensor tree_sum(const at::Tensor& lanes_V) {
  TORCH_CHECK(lanes_V.dim() > 0 && std::has_single_bit(static_cast<std::uint64_t>(lanes_V.size(0))),
              "tree_sum: want a power of two of lanes, got ", lanes_V.sizes());
  // Folding neighbours together, level by level, is the same tree as splitting in halves.
  at::Tensor sums = lanes_V;
  while (sums.size(0) > 1) {
    const at::Tensor pairs = sums.unflatten(0, {-1, 2});
    sums = pairs.select(1, 0) + pairs.select(1, 1);
  }
  return sums.select(0, 0);
}

LaneReducer::LaneReducer(const LaneLayout& layout, bool library_sum)
    : layout_(layout), library_sum_(library_sum), next_lane_(layout.mine.first) {}

void LaneReducer::push(std::int64_t lane, at::Tensor gradient_P) {
  const std::lock_guard lock(mutex_);
  early_.emplace(lane, std::move(gradient_P));
  for (auto it = early_.find(next_lane_); it != early_.end(); it = early_.find(next_lane_)) {
    keep({next_lane_, 1, std::move(it->second)});
    early_.erase(it);
    ++next_lane_;
  }
}

void LaneReducer::keep(Subtree leaf) {
  for (at::Tensor& free : add_subtree(stack_, std::move(leaf))) spare_.push_back(std::move(free));
}

at::Tensor LaneReducer::spare() {
  const std::lock_guard lock(mutex_);
  if (spare_.empty()) return {};
  at::Tensor buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

at::Tensor LaneReducer::sum_over_lanes(Collectives& comm) {
  const std::lock_guard lock(mutex_);
  TORCH_CHECK(next_lane_ == layout_.mine.first + layout_.mine.count, "LaneReducer: lane ", next_lane_,
              " is missing");
  next_lane_ = layout_.mine.first;
  std::vector<Subtree> mine = std::move(stack_);
  stack_.clear();
  if (comm.size() == 1) {
    TORCH_INTERNAL_ASSERT(mine.size() == 1);
    return mine[0].sum_P;
  }
  if (library_sum_) {
    for (std::size_t i = 1; i < mine.size(); ++i) mine[0].sum_P.add_(mine[i].sum_P);
    comm.all_reduce_sum_(mine[0].sum_P);
    return mine[0].sum_P;
  }
  at::Tensor sum = finish_tree(comm, layout_.lanes, mine);
  for (Subtree& tree : mine) spare_.push_back(std::move(tree.sum_P));
  return sum;
}

}  // namespace entrain::worker
