#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "worker/collectives/finish_tree.hpp"
#include "worker/collectives/lane_layout.hpp"

namespace entrain::worker {

/// The one summing order of strict numerics: tree(i, n) = n == 1 ? g[i] : tree(i, n/2) + tree(i + n/2, n/2)
/// over V = 2^k lanes. `lanes_V` is [V, ...]; returns [...]. For small things (BatchNorm sums, the loss):
/// gather the lanes' partials with all_gather_rows and evaluate the tree on every rank.
at::Tensor tree_sum(const at::Tensor& lanes_V);

/// Sums one flat gradient per lane over all lanes of all ranks, in the order of tree_sum, whatever the number
/// of ranks. Lane threads push in any order; at most log2(V) + 1 partial sums and the early comers are alive.
/// Where nodes have several ranks, these add up first, so that each sends only its part of the node's sums to others.
class LaneReducer {
 public:
  /// `library_sum`: for `numerics: fast`, adds the ranks' partial sums in the library's order instead.
  explicit LaneReducer(const LaneLayout& layout, bool library_sum = false);
  /// Takes the gradient of this rank's lane (global index). The buffer is kept and summed into. Any thread.
  void push(std::int64_t lane, at::Tensor gradient_P);
  /// Collective: the sum over all lanes, [P], the same bits on every rank. Ready for the next step
  /// afterwards.
  at::Tensor sum_over_lanes(Collectives& comm);
  /// A buffer of an earlier step to write the next gradient into, or an undefined tensor. Any thread.
  at::Tensor spare();

 private:
  void keep(Subtree leaf);

  LaneLayout layout_;
  bool library_sum_;
  std::mutex mutex_;
  std::map<std::int64_t, at::Tensor> early_;  // lanes that came before their predecessor
  std::int64_t next_lane_ = 0;
  std::vector<Subtree> stack_;
  std::vector<at::Tensor> spare_;
};

}  // namespace entrain::worker
