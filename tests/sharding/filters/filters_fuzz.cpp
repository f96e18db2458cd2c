#include "tests/sharding/filters/filters_fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "configs/error.hpp"
#include "sharding/filters/filter_pipeline.hpp"

namespace entrain::tests {

FuzzCounts& fuzz_counts() {
  static FuzzCounts counts;
  return counts;
}

namespace {

using sharding::Filter;

const std::vector<std::vector<Filter>>& pipelines() {
  const auto filter = [](int id, std::vector<std::uint32_t> values = {}) {
    return Filter{id, false, std::move(values), ""};
  };
  const auto shuffle = [&](std::uint32_t size) { return filter(2, {size}); };
  const auto bitshuffle = [&](std::uint32_t size, std::uint32_t block, std::uint32_t codec) {
    return filter(32008, {0, 4, size, block, codec});
  };
  static const std::vector<std::vector<Filter>> all = {
      {filter(1)},
      {filter(32000)},
      {filter(32001)},
      {filter(32004)},
      {filter(32015)},
      {filter(3)},
      {shuffle(2)},
      {shuffle(12)},
      {shuffle(2), filter(1), filter(3)},
      {shuffle(4), filter(32000)},
      {filter(3), filter(32004)},
      {filter(3), shuffle(8), filter(32015)},
      {filter(32000), filter(32004)},
      {shuffle(4), filter(32000), shuffle(4), filter(1)},
      {bitshuffle(1, 0, 0)},
      {bitshuffle(2, 64, 0)},
      {bitshuffle(1, 0, 2)},
      {bitshuffle(2, 0, 2)},
      {bitshuffle(4, 0, 2)},
      {bitshuffle(8, 0, 2)},
      {bitshuffle(2, 64, 2)},
      {bitshuffle(2, 0, 3)},
      {bitshuffle(3, 0, 2)},
      {bitshuffle(8, 64, 3)},
  };
  return all;
}

// Of the file's filters: id and what undoing looks at.
bool same(const Filter& ours, const Filter& files) {
  if (ours.id != files.id) return false;
  if (ours.id == 2) return ours.values[0] == files.values.at(0);
  if (ours.id != 32008) return true;
  auto values = files.values;
  values.resize(5);
  return std::equal(ours.values.begin() + 2, ours.values.end(), values.begin() + 2);
}

constexpr std::size_t kHeaderBytes = 4;

void require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "filters_fuzz: broken: %s\n", what);
  std::abort();
}

// Both at the very end of what is allocated for them: a sanitizer sees the first byte beyond.
void unpack(const sharding::FilterPipeline& pipeline, std::uint32_t mask, const ByteVector& stored,
            std::size_t chunk_bytes) {
  static sharding::DecodeScratch scratch;
  ByteVector raw(chunk_bytes);
  try {
    pipeline.decode(stored, mask, raw, scratch);
    ++fuzz_counts().unpacked;
    require(stored.size() <= pipeline.most_stored_bytes(), "what was unpacked is within the bound");
  } catch (const DataError& e) {
    ++fuzz_counts().refused;
    require(std::strlen(e.what()) > 10, "a refusal says why");
    return;
  }
  ByteVector again(chunk_bytes, std::byte{0x5a});
  pipeline.decode(stored, mask, again, scratch);
  require(raw == again, "every byte of the chunk is written, and always the same");
}

}  // namespace

std::string fuzz_input(const GoldenChunk& chunk) {
  const auto& all = pipelines();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& ours) {
    return std::equal(ours.begin(), ours.end(), chunk.filters.begin(), chunk.filters.end(), same);
  });
  if (found == all.end() || chunk.raw.size() > 0xffff) return "";
  std::string out;
  out.push_back(static_cast<char>(found - all.begin()));
  out.push_back(static_cast<char>(chunk.mask));
  out.push_back(static_cast<char>(chunk.raw.size() & 0xff));
  out.push_back(static_cast<char>(chunk.raw.size() >> 8));
  return out.append(reinterpret_cast<const char*>(chunk.stored.data()), chunk.stored.size());
}

}  // namespace entrain::tests

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tests = entrain::tests;
  if (size < tests::kHeaderBytes) return 0;
  const auto& filters = tests::pipelines()[data[0] % tests::pipelines().size()];
  const std::size_t chunk_bytes = data[2] + std::size_t{256} * data[3];
  const entrain::sharding::FilterPipeline pipeline(filters, chunk_bytes);
  const auto* first = reinterpret_cast<const std::byte*>(data);
  tests::unpack(pipeline, data[1], tests::ByteVector(first + tests::kHeaderBytes, first + size), chunk_bytes);
  return 0;
}
