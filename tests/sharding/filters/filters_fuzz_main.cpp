// filters_fuzz ITERATIONS [SECONDS [SEED]]: random changes of golden chunks, always the same for one seed. Stops after
// either limit; the line it prints says how far it came. filters_fuzz --seeds FOLDER writes the golden chunks as inputs
// for libFuzzer.
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/sharding/filters/filters_fuzz.hpp"
#include "tests/support/fuzz_loop.hpp"

namespace entrain::tests {
namespace {

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const auto& chunk : golden_chunks())
    if (auto input = fuzz_input(chunk); !input.empty()) out.push_back(std::move(input));
  return out;
}

// Headers stand in front: half of the changes go there.
std::string changed(std::string input, const std::vector<std::string>& others, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  for (std::size_t changes = below(5); changes > 0 && input.size() > 1; --changes) {
    const std::size_t at =
        below(2) == 0 ? below(std::min<std::size_t>(input.size(), 40)) : below(input.size());
    switch (below(6)) {
      case 0:
        input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        input[at] = static_cast<char>(below(3) == 0 ? 0xff : random());
        break;
      case 2:
        input.erase(at, 1 + below(8));
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(at, input.substr(at, below(64)));
        break;
      default: {
        const auto& other = others[below(others.size())];
        input += other.substr(below(other.size()));
      }
    }
  }
  return input;
}

int run(const FuzzLimits& limits) {
  const auto inputs = seeds();
  const std::uint64_t done = fuzz_within(limits, [&](std::mt19937_64& random) {
    const std::string input = changed(inputs[random() % inputs.size()], inputs, random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  });
  const auto& counts = fuzz_counts();
  std::printf("filters_fuzz: seed %llu, %llu inputs, %llu unpacked, %llu refused\n",
              static_cast<unsigned long long>(limits.seed), static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(counts.unpacked),
              static_cast<unsigned long long>(counts.refused));
  return counts.unpacked > 1000 && counts.refused > 1000 ? 0 : 1;
}

int write_seeds(const std::string& folder) {
  int number = 0;
  for (const auto& input : seeds())
    std::ofstream(folder + "/" + std::to_string(number++), std::ios::binary) << input;
  std::printf("%d inputs\n", number);
  return 0;
}

}  // namespace
}  // namespace entrain::tests

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--seeds") return entrain::tests::write_seeds(argv[2]);
  return entrain::tests::run({argc, argv});
}
