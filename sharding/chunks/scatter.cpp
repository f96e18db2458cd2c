#include "sharding/chunks/scatter.hpp"

#include <algorithm>
#include <cstring>

namespace entrain::sharding {
namespace {

// Elements of N bytes, `step` elements apart in the slab. N = 0: `bytes` at a time.
template <std::size_t N>
void place_run(const std::byte* __restrict from, std::byte* __restrict to, std::size_t count,
               std::size_t step) {
  for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * step * N, from + i * N, N);
}

void place_run(const std::byte* from, std::byte* to, std::size_t count, std::size_t step, std::size_t bytes) {
  switch (bytes) {
    case 1:
      return place_run<1>(from, to, count, step);
    case 2:
      return place_run<2>(from, to, count, step);
    case 4:
      return place_run<4>(from, to, count, step);
    case 8:
      return place_run<8>(from, to, count, step);
    default:
      for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * step * bytes, from + i * bytes, bytes);
  }
}

}  // namespace

// Row by row through all axes but the last two of which the chunk has more than one: a chunk of (750, 12, 12, 1) holds runs of
// one byte along its last axis, of twelve, three bytes apart, along the one before.
void scatter_chunk(const StorageDescription& s, const std::vector<std::int64_t>& first, std::int64_t rows,
                   std::span<const std::byte> raw, std::span<std::byte> slab) {
  const std::size_t rank = s.dims.size(), element = s.element_bytes;
  std::vector<std::size_t> count(rank), chunk_step(rank), slab_step(rank);  // steps in elements
  std::size_t in_chunk = 1, in_slab = 1, start = 0;
  for (std::size_t axis = rank; axis-- > 0;) {
    chunk_step[axis] = in_chunk;
    slab_step[axis] = in_slab;
    const std::int64_t most = axis == 0 ? rows : s.dims[axis] - first[axis];
    count[axis] = static_cast<std::size_t>(std::min(s.chunk[axis], most));
    start += axis == 0 ? 0 : static_cast<std::size_t>(first[axis]) * in_slab;
    in_chunk *= static_cast<std::size_t>(s.chunk[axis]);
    in_slab *= static_cast<std::size_t>(s.dims[axis]);
  }
  std::size_t inner = rank - 1;  // the axis whose elements are copied in one run
  while (inner > 0 && s.chunk[inner] == 1) --inner;
  const bool together = slab_step[inner] == 1;  // they lie side by side in the slab, too
  std::vector<std::size_t> at(rank, 0);
  for (;;) {
    std::size_t from = 0, to = start;
    for (std::size_t axis = 0; axis < rank; ++axis)
      from += at[axis] * chunk_step[axis], to += at[axis] * slab_step[axis];
    if (together)
      std::memcpy(slab.data() + to * element, raw.data() + from * element, count[inner] * element);
    else
      place_run(raw.data() + from * element, slab.data() + to * element, count[inner], slab_step[inner],
                element);
    std::size_t axis = inner;
    while (axis-- > 0) {
      if (++at[axis] < count[axis]) break;
      at[axis] = 0;
    }
    if (axis == static_cast<std::size_t>(-1)) return;
  }
}

}  // namespace entrain::sharding
