#include "sharding/filters/filter_pipeline.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {

constexpr std::size_t kMostFilters = 32;  // as libhdf5; the mask has one bit for each
// More than one codec after another is possible, and rare. What lies between them is only bounded: two keep that small.
constexpr int kMostCodecs = 2;

// How large a chunk may be between two filters.
struct Size {
  std::size_t most = 0;
  bool exact = true;

  bool admits(Bytes bytes) const { return exact ? bytes.size() == most : bytes.size() <= most; }
};
std::string wanted(const Size& size) { return cat(size.exact ? "" : "at most ", size.most); }

bool skipped(std::uint32_t mask, std::size_t filter) { return (mask >> filter & 1) != 0; }

}  // namespace

FilterPipeline::FilterPipeline(const std::vector<Filter>& filters, std::size_t chunk_bytes)
    : chunk_bytes_(chunk_bytes) {
  if (filters.size() > kMostFilters) {
    needs_library_ = cat(filters.size(), " filters");
    return;
  }
  int codecs = 0;
  most_stored_bytes_ = chunk_bytes;
  for (const Filter& filter : filters) {
    FilterStep& step = steps_.emplace_back();
    needs_library_ = read_filter(filter, step);
    codecs += step.compresses() ? 1 : 0;
    if (codecs > kMostCodecs) needs_library_ = cat("more than ", kMostCodecs, " compressing filters");
    if (!needs_library_.empty()) return;
    most_stored_bytes_ = most_after(step, most_stored_bytes_);
  }
}

void FilterPipeline::decode(std::span<const std::byte> stored, std::uint32_t mask, std::span<std::byte> raw,
                            DecodeScratch& scratch) const {
  assert(needs_library_.empty() && raw.size() == chunk_bytes_);
  std::array<Size, kMostFilters + 1> sizes;  // [i]: before filter i was applied
  sizes[0].most = chunk_bytes_;
  int left_to_write = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    sizes[i + 1] = sizes[i];
    if (skipped(mask, i)) continue;
    sizes[i + 1] = {most_after(steps_[i], sizes[i].most), sizes[i].exact && !steps_[i].compresses()};
    left_to_write += writes(steps_[i]) ? 1 : 0;
  }
  if (const Size& size = sizes[steps_.size()]; !size.admits(stored))
    throw DataError(cat("the chunk is stored in ", stored.size(), " bytes, wanted ", wanted(size)));

  Bytes bytes = stored;
  auto buffer = DecodeScratch::kStepA;
  for (std::size_t i = steps_.size(); i-- > 0;) {
    if (skipped(mask, i)) continue;
    MutableBytes out;
    if (writes(steps_[i])) {
      const bool last =
          --left_to_write == 0 && sizes[i].most == raw.size();  // false: a checksum is still to come off
      out = last ? raw : scratch.buffer(buffer, sizes[i].most);
      buffer = buffer == DecodeScratch::kStepA ? DecodeScratch::kStepB : DecodeScratch::kStepA;
    }
    bytes = undo(steps_[i], bytes, out, scratch);
    if (!sizes[i].admits(bytes))
      throw DataError(cat(name_of(steps_[i].kind), ": the chunk unpacks to ", bytes.size(), " bytes, wanted ",
                          wanted(sizes[i])));
  }
  if (bytes.data() != raw.data()) std::copy(bytes.begin(), bytes.end(), raw.begin());
}

}  // namespace entrain::sharding
