#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace entrain::sharding {

/// What was never written: `element` again and again. `out` holds a whole number of them.
inline void fill_with(const std::vector<std::byte>& element, std::span<std::byte> out) {
  if (std::all_of(element.begin(), element.end(), [](std::byte b) { return b == std::byte{0}; })) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return;
  }
  for (std::size_t at = 0; at + element.size() <= out.size(); at += element.size())
    std::copy(element.begin(), element.end(), &out[at]);
}

}  // namespace entrain::sharding
