#pragma once
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <random>

namespace entrain::tests {

/// PROGRAM [ITERATIONS [SECONDS [SEED]]]: how far a fuzzing program goes that needs no libFuzzer.
struct FuzzLimits {
  FuzzLimits(int argc, char** argv) {
    const auto number = [&](int i, double otherwise) { return argc > i ? std::atof(argv[i]) : otherwise; };
    iterations = static_cast<std::uint64_t>(number(1, 100000));
    seconds = number(2, 1e9);
    seed = static_cast<std::uint64_t>(number(3, 1));
  }
  std::uint64_t iterations, seed;
  double seconds;
};

/// once(random) until either limit is reached; always the same for one seed. How often it was called.
template <typename Once>
std::uint64_t fuzz_within(const FuzzLimits& limits, const Once& once) {
  const auto start = std::chrono::steady_clock::now();
  std::mt19937_64 random(limits.seed);
  std::uint64_t done = 0;
  for (; done < limits.iterations; ++done) {
    if (done % 256 == 0 &&
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > limits.seconds)
      break;
    once(random);
  }
  return done;
}

}  // namespace entrain::tests
