#pragma once
#include <vector>

#include "configs/lanes.hpp"

namespace entrain {

/// The maximal aligned subtrees of a block of lanes in the binary tree over all lanes, in lane order: lanes 3..5 are
/// {3} and {4, 5}. So many partial sums are left of the block once its neighbours have been added.
std::vector<LaneBlock> subtrees_of(LaneBlock block);

}  // namespace entrain
