#include "configs/lane_subtrees.hpp"

namespace entrain {

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

}  // namespace entrain
