#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/sharding/filters/golden_chunks.hpp"

/// libFuzzer's entry: the first four bytes choose pipeline, mask and size of a chunk, the rest is what is stored. Aborts
/// where a promise of filter_pipeline.hpp is broken.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace entrain::tests {

/// How often the fuzzed code said yes: a fuzzer that is only ever refused tests nothing.
struct FuzzCounts {
  std::uint64_t unpacked = 0, refused = 0;
};
FuzzCounts& fuzz_counts();

/// The input that makes the fuzzer unpack this chunk as it is; "" if its pipeline or size is none of the fuzzer's.
std::string fuzz_input(const GoldenChunk& chunk);

}  // namespace entrain::tests
