#include "worker/collectives/lane_tree.hpp"

#include <ATen/ATen.h>

#include <bit>

#include "configs/cat.hpp"

namespace entrain::worker {
namespace {

// The maximal aligned subtrees of a block of lanes: what is left on the stack after all of them were pushed.
std::vector<LaneBlock> subtrees_of(LaneBlock block) {
  std::vector<LaneBlock> trees;
  for (std::int64_t first = block.first; first < block.first + block.count;) {
    std::int64_t lanes = 1;
    while (first % (2 * lanes) == 0 && first + 2 * lanes <= block.first + block.count) lanes *= 2;
    trees.push_back({first, lanes});
    first += lanes;
  }
  return trees;
}

// tree(first, lanes) over partial sums that are aligned subtrees themselves; `parts` are in lane order.
at::Tensor tree_over(const std::vector<LaneBlock>& trees, const std::vector<at::Tensor>& parts,
                     std::int64_t first, std::int64_t lanes) {
  for (std::size_t i = 0; i < trees.size(); ++i)
    if (trees[i].first == first && trees[i].count == lanes) return parts[i];
  TORCH_INTERNAL_ASSERT(lanes > 1, "no partial sum for lane ", first);
  const at::Tensor left = tree_over(trees, parts, first, lanes / 2);
  return left + tree_over(trees, parts, first + lanes / 2, lanes / 2);
}

}  // namespace

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
    merge({next_lane_, 1, std::move(it->second)});
    early_.erase(it);
    ++next_lane_;
  }
}

// Equal heights are not enough to merge: a block may begin at lane 21, whose left neighbour in the tree is
// another rank's. The lower subtree must begin where the merged one does.
void LaneReducer::merge(Subtree leaf) {
  stack_.push_back(std::move(leaf));
  while (stack_.size() > 1) {
    Subtree& right = stack_[stack_.size() - 1];
    Subtree& left = stack_[stack_.size() - 2];
    if (left.lanes != right.lanes || left.first % (2 * left.lanes) != 0) break;
    left.sum_P.add_(right.sum_P);
    left.lanes *= 2;
    spare_.push_back(std::move(right.sum_P));
    stack_.pop_back();
  }
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
  // Chunk c of every partial goes to rank c, which finishes the tree for it; then the chunks are gathered.
  const int world = comm.size(), me = comm.rank();
  const std::int64_t P = mine.at(0).sum_P.numel();
  std::vector<std::int64_t> send_counts, receive_counts;
  std::vector<LaneBlock> trees;  // of all ranks, in lane order
  std::vector<at::Tensor> pieces;
  const LaneBlock my_chunk = lanes_of(me, world, P);
  for (int r = 0; r < world; ++r) {
    const LaneBlock chunk = lanes_of(r, world, P);
    for (const Subtree& tree : mine) pieces.push_back(tree.sum_P.narrow(0, chunk.first, chunk.count));
    send_counts.push_back(chunk.count * static_cast<std::int64_t>(mine.size()));
    const auto theirs = subtrees_of(lanes_of(r, world, layout_.lanes));
    receive_counts.push_back(my_chunk.count * static_cast<std::int64_t>(theirs.size()));
    trees.insert(trees.end(), theirs.begin(), theirs.end());
  }
  const at::Tensor received = comm.all_to_all(at::cat(pieces), send_counts, receive_counts);
  const auto parts = received.view({static_cast<std::int64_t>(trees.size()), my_chunk.count}).unbind(0);
  const at::Tensor finished = tree_over(trees, parts, 0, layout_.lanes);
  for (Subtree& tree : mine) spare_.push_back(std::move(tree.sum_P));
  return comm.all_gather_rows(finished).all;
}

}  // namespace entrain::worker
