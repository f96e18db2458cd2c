#include <algorithm>
#include <array>

#include "sharding/filters/undo.hpp"

namespace entrain::sharding {
namespace {

// Row b of the stored bytes holds byte b of every element. With a constant count of rows the compiler interleaves
// whole vectors of them.
template <std::size_t kRows>
void interleave(const std::byte* __restrict in, std::byte* __restrict out, std::size_t elements) {
  for (std::size_t e = 0; e < elements; ++e)
    for (std::size_t b = 0; b < kRows; ++b) out[e * kRows + b] = in[b * elements + e];
}

// Any size: stretches of elements whose bytes stay in the first cache from row to row.
void interleave(const std::byte* __restrict in, std::byte* __restrict out, std::size_t elements,
                std::size_t rows) {
  const std::size_t stretch = std::max<std::size_t>(64, 16384 / rows);
  for (std::size_t first = 0; first < elements; first += stretch) {
    const std::size_t last = std::min(elements, first + stretch);
    for (std::size_t b = 0; b < rows; ++b)
      for (std::size_t e = first; e < last; ++e) out[e * rows + b] = in[b * elements + e];
  }
}

}  // namespace

void undo_shuffle(Bytes in, MutableBytes out, std::size_t element_bytes) {
  const std::size_t elements = in.size() / element_bytes, whole = elements * element_bytes;
  switch (element_bytes) {
    case 2:
      interleave<2>(in.data(), out.data(), elements);
      break;
    case 4:
      interleave<4>(in.data(), out.data(), elements);
      break;
    case 8:
      interleave<8>(in.data(), out.data(), elements);
      break;
    default:
      interleave(in.data(), out.data(), elements, element_bytes);
  }
  std::copy(in.begin() + static_cast<std::ptrdiff_t>(whole), in.end(),
            out.begin() + static_cast<std::ptrdiff_t>(whole));
}

}  // namespace entrain::sharding
