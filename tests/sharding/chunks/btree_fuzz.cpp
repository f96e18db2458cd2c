#include "tests/sharding/chunks/btree_fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "configs/error.hpp"

namespace entrain::tests {

FuzzCounts& fuzz_counts() {
  static FuzzCounts counts;
  return counts;
}

namespace {
constexpr std::size_t kMostAxes = 4, kHeadBytes = 1 + 2 * kMostAxes + 8;

void require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "btree_fuzz: broken: %s\n", what);
  std::abort();
}

template <typename T>
T number(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void read(std::span<const std::byte> bytes, const sharding::ChunkGrid& grid, std::uint64_t header,
          const sharding::StoredSizes& sizes) {
  const sharding::FileView file(bytes);
  const auto superblock = sharding::read_superblock(file);
  ++fuzz_counts().superblocks;
  require(superblock.base < file.size(), "the superblock lies in the file");
  const auto layout = sharding::read_layout(file, superblock, header);
  ++fuzz_counts().layouts;
  if (!layout.address) return;
  const sharding::ChunkTree tree(file, superblock.base, *layout.address, grid);
  require(tree.num_chunks() * 32 <= file.size(), "a chunk takes an entry");
  const auto table = tree.table(sizes);
  ++fuzz_counts().tables;
  fuzz_counts().chunks += table.num_stored();
  require(table.size() == grid.size() && table.num_stored() == tree.num_chunks(),
          "every chunk has its place");
  for (std::size_t position = 0; position < table.size(); ++position)
    if (const auto chunk = table.at(position)) {
      require(chunk->bytes >= sizes.least && chunk->bytes <= sizes.most, "a chunk has a possible size");
      require(chunk->address <= file.size() && chunk->bytes <= file.size() - chunk->address,
              "it lies in the file");
    }
}
}  // namespace

std::vector<std::uint8_t> fuzz_input(const TreeFile& file, std::uint16_t least, std::uint16_t most) {
  std::vector<std::uint8_t> input(kHeadBytes + file.bytes.size());
  input[0] = static_cast<std::uint8_t>(file.grid.rank() - 1);
  for (std::size_t axis = 0; axis < file.grid.rank(); ++axis) {
    input[1 + axis] = static_cast<std::uint8_t>(file.grid.dims()[axis]);
    input[1 + kMostAxes + axis] = static_cast<std::uint8_t>(file.grid.chunk()[axis] - 1);
  }
  const auto header = static_cast<std::uint32_t>(file.header);
  std::memcpy(&input[1 + 2 * kMostAxes], &header, 4);
  std::memcpy(&input[1 + 2 * kMostAxes + 4], &least, 2);
  std::memcpy(&input[1 + 2 * kMostAxes + 6], &most, 2);
  std::memcpy(&input[kHeadBytes], file.bytes.data(), file.bytes.size());
  return input;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds() {
  std::vector<std::vector<std::uint8_t>> seeds;
  for (const unsigned superblock : {0U, 1U, 2U, 3U})
    for (const unsigned header : {1U, 2U})
      for (const std::uint64_t user_block : {0, 512})
        for (const bool continued : {false, true})
          seeds.push_back(
              fuzz_input(small_tree({superblock, header, user_block, continued, continued}), 1, 100));
  TreeFile raw({4}, {1}, {});
  raw.finish(raw.node(0, {raw.chunk({2}, 1), raw.chunk({0}, 1)}));
  seeds.push_back(fuzz_input(raw, 1, 1));
  return seeds;
}

}  // namespace entrain::tests

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace tests = entrain::tests;
  if (size < tests::kHeadBytes) return 0;
  const std::size_t rank = data[0] % tests::kMostAxes + 1;
  std::vector<std::int64_t> dims, chunk;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    dims.push_back(data[1 + axis] % 64);
    chunk.push_back(data[1 + tests::kMostAxes + axis] % 64 + 1);
  }
  const std::uint8_t* rest = data + 1 + 2 * tests::kMostAxes;
  // A copy of just its size: what is read beyond the end is seen.
  const std::vector<std::byte> file(reinterpret_cast<const std::byte*>(data) + tests::kHeadBytes,
                                    reinterpret_cast<const std::byte*>(data) + size);
  const entrain::sharding::StoredSizes sizes{
      std::max<std::uint64_t>(1, tests::number<std::uint16_t>(rest + 4)),
      tests::number<std::uint16_t>(rest + 6)};
  try {
    const entrain::sharding::ChunkGrid grid(dims, chunk);
    if (grid.size() > 100000) return 0;
    tests::read(file, grid, tests::number<std::uint32_t>(rest), sizes);
  } catch (const entrain::DataError&) {
    ++tests::fuzz_counts().refusals;
  }
  return 0;
}
