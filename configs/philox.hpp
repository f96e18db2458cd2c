#pragma once
#include <array>
#include <cstdint>

namespace entrain {

/// What a random number is drawn for; part of its key, so that no two uses share a stream.
enum class Purpose : std::uint32_t {
  kPermutation = 1,
  kView = 2,
  kInit = 3,
  kLabelFraction = 4,
  kStratum = 5,
  kPhantom = 6,
  kSplit = 7,
  kBootstrap = 8,
};

__extension__ using Uint128 = unsigned __int128;

/// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a pure function
/// of (counter, key). Agrees with Random123's known-answer vectors.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

/// A short stream of draws keyed by (seed, purpose, a, b, c): the same on any rank, thread and machine.
/// `a` is 64 bits wide (a sample id, a hash); `b` (an epoch) and `c` (a view, a repeat) are 32.
/// The key is (seed, purpose) mixed by one Philox call; the counter holds (a, b, c) and a block number.
class Draws {
 public:
  constexpr Draws(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint32_t b = 0,
                  std::uint32_t c = 0)
      : a_(a) {
    const auto mixed = philox4x32({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                                   static_cast<std::uint32_t>(purpose), c},
                                  {b, 0x454E5452U});
    key_ = {mixed[0], mixed[1]};
    salt_ = mixed[2];
  }

  constexpr std::uint32_t next() {
    if (used_ == 4) {
      block_ = philox4x32(
          {static_cast<std::uint32_t>(a_), static_cast<std::uint32_t>(a_ >> 32), number_++, salt_}, key_);
      used_ = 0;
    }
    return block_[used_++];
  }
  /// In [0, 1), 24 bits: exact in float.
  constexpr float uniform() { return static_cast<float>(next() >> 8) * 0x1.0p-24F; }
  /// In [0, 1), 53 bits.
  constexpr double uniform_double() {
    const std::uint64_t high = next() >> 5, low = next() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1.0p-53;
  }
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform_double(); }
  /// In [0, bound), bound >= 1; bias below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t high = next(), low = next();
    return static_cast<std::uint64_t>(static_cast<Uint128>((high << 32) | low) * bound >> 64);
  }

 private:
  std::uint64_t a_;
  std::array<std::uint32_t, 2> key_{};
  std::uint32_t salt_ = 0, number_ = 0;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

}  // namespace entrain
