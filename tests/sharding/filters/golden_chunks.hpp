#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sharding/filters/filter.hpp"

namespace entrain::tests {

using ByteVector = std::vector<std::byte>;

/// A chunk as h5py and hdf5plugin stored it, and what it must unpack to.
struct GoldenChunk {
  std::string name;
  std::vector<sharding::Filter> filters;
  std::uint32_t mask = 0;
  ByteVector stored, raw;

  bool skips(std::size_t filter) const { return (mask >> filter & 1) != 0; }
};

/// All of tests/reference/sharding/filters.h5, read by libhdf5.
const std::vector<GoldenChunk>& golden_chunks();
const GoldenChunk& golden_chunk(const std::string& name);

}  // namespace entrain::tests
