#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/sharding/chunks/tree_file.hpp"

/// libFuzzer's entry: a dataset's rank, shape, chunk shape and bounds on chunk sizes, then a file whose superblock, object
/// header and chunk tree are read. Aborts where a promise of object_header.hpp or btree_v1.hpp is broken.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace entrain::tests {
/// How often the fuzzed code said yes: a fuzzer that is only ever refused tests nothing.
struct FuzzCounts {
  std::uint64_t superblocks = 0, layouts = 0, tables = 0, chunks = 0, refusals = 0;
};
FuzzCounts& fuzz_counts();

/// The input that makes the entry read this file.
std::vector<std::uint8_t> fuzz_input(const TreeFile& file, std::uint16_t least, std::uint16_t most);
/// Right files of every style, to begin from.
std::vector<std::vector<std::uint8_t>> fuzz_seeds();
}  // namespace entrain::tests
