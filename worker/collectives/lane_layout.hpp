#pragma once
#include <cstdint>

#include "configs/lanes.hpp"

namespace entrain::worker {

/// How the global batch lies over lanes and ranks. Rows of every [R, ...] tensor are ordered
/// (lane, view, image): row(lane, view, i) = (lane * views + view) * images + i, on every number of ranks.
struct LaneLayout {
  std::int64_t lanes = 1;   ///< V, a power of two
  std::int64_t images = 1;  ///< m images per lane
  std::int64_t views = 2;   ///< views per image: 2 in contrastive training, 1 in supervised
  LaneBlock mine;           ///< the lanes of this rank

  std::int64_t lane_rows() const { return images * views; }
  std::int64_t my_rows() const { return mine.count * lane_rows(); }
  std::int64_t all_rows() const { return lanes * lane_rows(); }
  std::int64_t global_batch() const { return lanes * images; }
};

}  // namespace entrain::worker
