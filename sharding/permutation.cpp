#include "sharding/permutation.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "configs/cat.hpp"
#include "configs/philox.hpp"

// A Feistel network over pairs (l, r) in [0, half)^2 with modular addition: a bijection for any half. The square is
// hardly larger than the size; the few values beyond it walk on along their cycle until they fall inside. The round
// function is a 32-bit mixer (Wellons' lowbias32), keyed by Philox; its result is brought into [0, half) by a product
// instead of a division.
namespace entrain::sharding {
namespace {

std::uint64_t ceil_root(std::uint64_t n) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(n)));
  while (root * root < n) ++root;
  while (root > 1 && (root - 1) * (root - 1) >= n) --root;
  return root;
}

constexpr std::uint32_t mixed(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352dU;
  x ^= x >> 15;
  x *= 0x846ca68bU;
  return x ^ x >> 16;
}

// One round: `to` plus a function of the pair's other half, modulo `half`.
constexpr std::uint32_t added(std::uint32_t to, std::uint32_t other, std::uint32_t key, std::uint32_t half) {
  const std::uint32_t sum = to + static_cast<std::uint32_t>(std::uint64_t{mixed(other ^ key)} * half >> 32);
  return std::min(sum, sum - half);  // a sum below half wraps around to a larger number
}

// All rounds for the pairs of `values`, given as left * half + right for the first of them, then ascending.
template <std::size_t kCount, std::size_t kRounds>
[[gnu::always_inline]] inline void permute(const std::array<std::uint32_t, kRounds>& keys, std::uint32_t half,
                                           std::uint32_t first_left, std::uint32_t first_right,
                                           std::array<std::uint64_t, kCount>& values) {
  std::array<std::uint32_t, kCount> left{}, right{};
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const std::uint32_t next = first_right + i;
    left[i] = next < half ? first_left : first_left + 1;
    right[i] = std::min(next, next - half);
  }
  for (std::size_t k = 0; k < kRounds; k += 2) {
    for (std::size_t i = 0; i < kCount; ++i) left[i] = added(left[i], right[i], keys[k], half);
    for (std::size_t i = 0; i < kCount; ++i) right[i] = added(right[i], left[i], keys[k + 1], half);
  }
  for (std::size_t i = 0; i < kCount; ++i) values[i] = std::uint64_t{left[i]} * half + right[i];
}

using Block = std::array<std::uint64_t, Permutation::kBlock>;
using Keys = std::array<std::uint32_t, Permutation::kRounds>;
using PermuteBlock = void (*)(const Keys&, std::uint32_t, std::uint32_t, std::uint32_t, Block&);

void permute_block(const Keys& keys, std::uint32_t half, std::uint32_t left, std::uint32_t right,
                   Block& out) {
  permute(keys, half, left, right, out);
}

#ifdef __x86_64__
[[gnu::target("avx2")]] void permute_block_avx2(const Keys& keys, std::uint32_t half, std::uint32_t left,
                                                std::uint32_t right, Block& out) {
  permute(keys, half, left, right, out);
}
PermuteBlock fastest() { return __builtin_cpu_supports("avx2") ? permute_block_avx2 : permute_block; }
#else
PermuteBlock fastest() { return permute_block; }
#endif

}  // namespace

Permutation::Permutation(std::int64_t size, std::uint64_t seed, std::uint32_t use)
    : size_(static_cast<std::uint64_t>(size)), half_(0), seed_(seed), use_(use) {
  if (size < 1 || size > (std::int64_t{1} << 62)) throw std::logic_error(cat("permutation of ", size));
  half_ = ceil_root(size_);  // at most 2^31: sums of two halves fit 32 bits
}

Permutation::Keys Permutation::keys_of(std::int64_t epoch) const {
  const auto e = static_cast<std::uint64_t>(epoch);
  Keys keys{};
  for (std::uint32_t part = 0; part < kRounds / 4; ++part) {
    const auto four =
        philox4x32({static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32),
                    static_cast<std::uint32_t>(Purpose::kPermutation), static_cast<std::uint32_t>(e)},
                   {static_cast<std::uint32_t>(e >> 32) ^ part << 31, use_});
    for (int i = 0; i < 4; ++i) keys[4 * part + i] = four[i];
  }
  return keys;
}

std::uint64_t Permutation::once(const Keys& keys, std::uint64_t value) const {
  std::array<std::uint64_t, 1> result{};
  permute(keys, static_cast<std::uint32_t>(half_), static_cast<std::uint32_t>(value / half_),
          static_cast<std::uint32_t>(value % half_), result);
  return result[0];
}

std::uint64_t Permutation::inside(const Keys& keys, std::uint64_t value) const {
  while (value >= size_) value = once(keys, value);
  return value;
}

// Positions behind the last one are of no use to anybody; they do not walk: their cycle need not lead back.
Permutation::Block Permutation::permuted(const Keys& keys, std::uint64_t first) const {
  static const PermuteBlock permute_fast = fastest();
  Block values{};
  if (half_ >= kBlock) {
    permute_fast(keys, static_cast<std::uint32_t>(half_), static_cast<std::uint32_t>(first / half_),
                 static_cast<std::uint32_t>(first % half_), values);
    if (*std::max_element(values.begin(), values.end()) < size_) return values;
  } else {  // a block has more than two rows of the square
    for (std::uint64_t i = 0; i < kBlock; ++i) values[i] = once(keys, std::min(first + i, size_ - 1));
  }
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(kBlock, size_ - first); ++i)
    values[i] = inside(keys, values[i]);
  return values;
}

std::int64_t Permutation::at(std::int64_t epoch, std::int64_t position) const {
  const Keys keys = keys_of(epoch);
  return static_cast<std::int64_t>(inside(keys, once(keys, static_cast<std::uint64_t>(position))));
}

}  // namespace entrain::sharding
