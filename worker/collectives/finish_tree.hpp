#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

/// The sum over an aligned subtree of lanes.
struct Subtree {
  std::int64_t first, lanes;
  at::Tensor sum_P;
};

/// Puts `next`, whose lanes follow those of the last one, onto the stack and adds, in place, what are halves of one
/// subtree. Returns the buffers of right halves, which are free again.
std::vector<at::Tensor> add_subtree(std::vector<Subtree>& stack, Subtree next);

/// Collective: the sum over all `lanes`, [P], the same bits on every rank, from what each rank holds: the sums over
/// subtrees_of its lanes. Chunk r of the elements is finished by rank r. Where nodes have several ranks, these add up
/// among themselves first: each then sends its part of the node's sums to other nodes instead of all of its own.
at::Tensor finish_tree(Collectives& comm, std::int64_t lanes, const std::vector<Subtree>& mine);

}  // namespace entrain::worker
