#pragma once
#include <cstdint>

namespace entrain {

/// A contiguous block of lanes.
struct LaneBlock {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// The lanes of one rank: the first `lanes % world` ranks hold one more. 8 lanes on 3 ranks: 3, 3, 2.
constexpr LaneBlock lanes_of(std::int64_t rank, std::int64_t world, std::int64_t lanes) {
  const std::int64_t base = lanes / world, extra = lanes % world;
  return {rank * base + (rank < extra ? rank : extra), base + (rank < extra ? 1 : 0)};
}

}  // namespace entrain
