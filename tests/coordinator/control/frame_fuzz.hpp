#pragma once
#include <cstddef>
#include <cstdint>

/// libFuzzer's entry: the first byte chooses what the rest is given to (a connection's bytes as they are; the same with
/// right HMACs put in; one payload). Aborts where a promise of frame.hpp or messages.hpp is broken.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer looks for this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace entrain::tests {
/// How often the fuzzed code said yes: a fuzzer that is only ever refused tests nothing.
struct FuzzCounts {
  std::uint64_t frames = 0, messages = 0, refusals = 0;
};
FuzzCounts& fuzz_counts();
}  // namespace entrain::tests
