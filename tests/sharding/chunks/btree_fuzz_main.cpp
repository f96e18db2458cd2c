// btree_fuzz ITERATIONS [SECONDS [SEED]]: random changes of right files, always the same for one seed. Stops after either
// limit; the line it prints says how far it came. btree_fuzz --seeds FOLDER writes the right files for libFuzzer.
#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "tests/sharding/chunks/btree_fuzz.hpp"
#include "tests/support/fuzz_loop.hpp"

namespace entrain::tests {
namespace {
using Input = std::vector<std::uint8_t>;

// Numbers that lie at the edges of what is checked.
constexpr std::uint64_t kNumbers[] = {
    0, 1, 7, 8, 255, 65535, 0xffffffff, std::uint64_t{1} << 63, ~std::uint64_t{0}};

void change(Input& input, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::size_t at = below(input.size());
  const std::size_t room = input.size() - at;
  switch (below(6)) {
    case 0:
      input[at] = static_cast<std::uint8_t>(input[at] ^ (1U << below(8)));
      break;
    case 1:
      input[at] = static_cast<std::uint8_t>(random());
      break;
    case 2: {  // an address or a count
      const std::uint64_t number = below(2) ? kNumbers[below(std::size(kNumbers))] : below(2 * input.size());
      std::memcpy(&input[at], &number, std::min<std::size_t>(room, std::size_t{1} << below(4)));
      break;
    }
    case 3:
      std::memcpy(&input[at], Input(input).data() + below(input.size() - std::min<std::size_t>(room, 32) + 1),
                  std::min<std::size_t>(room, 32));
      break;
    case 4:
      input.resize(at + 1);
      break;
    default:
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), 1 + below(16), std::uint8_t{0});
  }
}

int run(const FuzzLimits& limits) {
  const auto seeds = fuzz_seeds();
  const std::uint64_t done = fuzz_within(limits, [&](std::mt19937_64& random) {
    Input input = seeds[random() % seeds.size()];
    for (auto changes = random() % 4; changes > 0; --changes) change(input, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  });
  const auto& c = fuzz_counts();
  std::printf(
      "btree_fuzz: seed %llu, %llu inputs, %llu superblocks, %llu layouts, %llu tables, %llu chunks, %llu "
      "refusals\n",
      static_cast<unsigned long long>(limits.seed), static_cast<unsigned long long>(done),
      static_cast<unsigned long long>(c.superblocks), static_cast<unsigned long long>(c.layouts),
      static_cast<unsigned long long>(c.tables), static_cast<unsigned long long>(c.chunks),
      static_cast<unsigned long long>(c.refusals));
  return c.tables > 100 && c.chunks > 300 && c.refusals > 100 ? 0 : 1;
}

int write_seeds(const std::string& folder) {
  int number = 0;
  for (const Input& seed : fuzz_seeds()) {
    std::ofstream out(folder + "/seed-" + std::to_string(number++), std::ios::binary);
    out.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    if (!out.flush()) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace entrain::tests

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--seeds") return entrain::tests::write_seeds(argv[2]);
  return entrain::tests::run({argc, argv});
}
