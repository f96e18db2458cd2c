#include "sharding/chunks/chunk_table.hpp"

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {

ChunkGrid::ChunkGrid(std::vector<std::int64_t> dims, std::vector<std::int64_t> chunk)
    : dims_(std::move(dims)), chunk_(std::move(chunk)) {
  std::int64_t size = 1;
  bool too_many = false;
  for (std::size_t axis = 0; axis < dims_.size(); ++axis) {
    counts_.push_back(dims_[axis] / chunk_[axis] + (dims_[axis] % chunk_[axis] != 0));
    too_many |= __builtin_mul_overflow(size, counts_.back(), &size);
  }
  if (std::count(counts_.begin(), counts_.end(), 0)) size = 0, too_many = false;
  if (too_many || size > std::int64_t{1} << 59)
    throw DataError("its shape and chunks declare more chunks than can be numbered");
  size_ = static_cast<std::size_t>(size);
}

std::vector<std::int64_t> ChunkGrid::first(std::size_t position) const {
  std::vector<std::int64_t> first(rank());
  auto rest = static_cast<std::int64_t>(position);
  for (std::size_t axis = rank(); axis-- > 0;) {
    first[axis] = rest % counts_[axis] * chunk_[axis];
    rest /= counts_[axis];
  }
  return first;
}

bool ChunkGrid::is_edge(std::size_t position) const {
  const auto start = first(position);
  for (std::size_t axis = 0; axis < rank(); ++axis)
    if (chunk_[axis] > dims_[axis] - start[axis]) return true;
  return false;
}

ChunkTable::ChunkTable(std::vector<StoredChunk> entries) {
  const auto owned = std::make_shared<const std::vector<StoredChunk>>(std::move(entries));
  *this = ChunkTable(*owned, owned);
}

ChunkTable::ChunkTable(std::span<const StoredChunk> entries, std::shared_ptr<const void> owner)
    : entries_(entries), owner_(std::move(owner)) {
  num_stored_ = static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [](const StoredChunk& c) { return c.bytes != 0; }));
}

}  // namespace entrain::sharding
