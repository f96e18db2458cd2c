#include "tests/sharding/chunks/read_whole.hpp"

#include <algorithm>
#include <stdexcept>

#include "sharding/chunks/data_file.hpp"
#include "sharding/filters/filter_pipeline.hpp"

namespace entrain::tests {
using sharding::ChunkIndex;

std::vector<std::byte> read_whole(const ChunkIndex& index) {
  const auto& s = index.storage();
  if (index.way() == ChunkIndex::Way::kCompact) return s.compact;
  if (index.way() == ChunkIndex::Way::kLibrary) throw std::logic_error("not without libhdf5: " + index.how());
  std::vector<std::byte> all;
  while (all.size() < s.raw_bytes()) all.insert(all.end(), s.fill.begin(), s.fill.end());
  if (all.empty()) return all;
  const sharding::DataFile file(s.file);
  if (index.way() == ChunkIndex::Way::kContiguous) {
    if (s.offset) file.read(*s.offset, all);
    return all;
  }
  const sharding::FilterPipeline filters(s.filters, s.chunk_bytes());
  sharding::DecodeScratch scratch;
  std::vector<std::byte> raw(s.chunk_bytes());
  for (std::size_t position = 0; position < index.grid().size(); ++position) {
    const auto chunk = index.chunks().at(position);
    if (!chunk) continue;
    std::vector<std::byte> stored(chunk->bytes);
    file.read(chunk->address, stored);
    filters.decode(stored, chunk->mask, raw, scratch);
    const auto first = index.grid().first(position);
    for (std::size_t e = 0; e * s.element_bytes < raw.size(); ++e) {  // element by element
      std::size_t rest = e, to = 0, stride = 1;
      bool inside = true;
      for (std::size_t axis = s.dims.size(); axis-- > 0;) {
        const auto length = static_cast<std::size_t>(s.chunk[axis]);
        const std::size_t at = static_cast<std::size_t>(first[axis]) + rest % length;
        rest /= length;
        inside &= at < static_cast<std::size_t>(s.dims[axis]);
        to += at * stride;
        stride *= static_cast<std::size_t>(s.dims[axis]);
      }
      if (inside) std::copy_n(&raw[e * s.element_bytes], s.element_bytes, &all[to * s.element_bytes]);
    }
  }
  return all;
}

}  // namespace entrain::tests
