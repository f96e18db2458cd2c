#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

namespace entrain::sharding {

__extension__ using Wide = __int128;  ///< steps x batch of a run of any length

/// A keyed permutation of [0, size) for every epoch: random access, no memory.
class Permutation {
 public:
  static constexpr std::size_t kRounds = 8, kBlock = 32;

  /// `use` keeps the permutations of different things apart. std::logic_error unless 0 < size <= 2^62.
  Permutation(std::int64_t size, std::uint64_t seed, std::uint32_t use);
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }
  /// What stands at this position in this epoch.
  std::int64_t at(std::int64_t epoch, std::int64_t position) const;
  /// act(i, what stands at first + i) for i in [0, count).
  template <typename Act>
  void for_each(std::int64_t epoch, std::int64_t first, std::int64_t count, Act act) const {
    const Keys keys = keys_of(epoch);
    for (std::int64_t i = 0; i < count; i += kBlock) {
      const Block values = permuted(keys, static_cast<std::uint64_t>(first + i));
      const std::int64_t here = std::min<std::int64_t>(kBlock, count - i);
      for (std::int64_t k = 0; k < here; ++k)
        act(i + k, static_cast<std::int64_t>(values[static_cast<std::size_t>(k)]));
    }
  }

 private:
  using Keys = std::array<std::uint32_t, kRounds>;
  using Block = std::array<std::uint64_t, kBlock>;
  Keys keys_of(std::int64_t epoch) const;
  Block permuted(const Keys& keys, std::uint64_t first) const;
  std::uint64_t once(const Keys& keys, std::uint64_t value) const;
  std::uint64_t inside(const Keys& keys, std::uint64_t value) const;

  std::uint64_t size_;
  std::uint64_t half_;  // side of the Feistel square
  std::uint64_t seed_;
  std::uint32_t use_;
};

}  // namespace entrain::sharding
