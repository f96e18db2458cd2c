#include "sharding/permutation.hpp"

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

constexpr void round(std::uint32_t key, std::uint32_t half, std::uint32_t& left, std::uint32_t& right) {
  const auto f = static_cast<std::uint32_t>(std::uint64_t{mixed(right ^ key)} * half >> 32);
  const std::uint32_t sum = left + f;
  left = right;
  right = sum < half ? sum : sum - half;
}

}  // namespace

Permutation::Permutation(std::int64_t size, std::uint64_t seed, std::uint32_t use)
    : size_(static_cast<std::uint64_t>(size)), half_(0), seed_(seed), use_(use) {
  if (size < 1 || size > (std::int64_t{1} << 62)) throw std::logic_error(cat("permutation of ", size));
  half_ = ceil_root(size_);  // at most 2^31: left + f cannot overflow 32 bits
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
  const auto half = static_cast<std::uint32_t>(half_);
  auto left = static_cast<std::uint32_t>(value / half_), right = static_cast<std::uint32_t>(value % half_);
  for (const std::uint32_t key : keys) round(key, half, left, right);
  return left * half_ + right;
}

// A block at a time, so that the rounds of its values overlap. Positions behind the last one are of no use to anybody;
// they do not walk: their cycle need not lead back.
std::array<std::uint64_t, Permutation::kBlock> Permutation::permuted(const Keys& keys,
                                                                     std::uint64_t first) const {
  const auto half = static_cast<std::uint32_t>(half_);
  std::array<std::uint32_t, kBlock> left{}, right{};
  left[0] = static_cast<std::uint32_t>(first / half_);
  right[0] = static_cast<std::uint32_t>(first % half_);
  for (int i = 1; i < kBlock; ++i) {
    const bool wraps = right[i - 1] + 1 == half;
    right[i] = wraps ? 0 : right[i - 1] + 1;
    left[i] = !wraps ? left[i - 1] : left[i - 1] + 1 == half ? 0 : left[i - 1] + 1;
  }
  for (const std::uint32_t key : keys)
    for (int i = 0; i < kBlock; ++i) round(key, half, left[i], right[i]);
  std::array<std::uint64_t, kBlock> values{};
  for (int i = 0; i < kBlock; ++i) {
    values[i] = left[i] * half_ + right[i];
    while (values[i] >= size_ && first + i < size_) values[i] = once(keys, values[i]);
  }
  return values;
}

std::int64_t Permutation::at(std::int64_t epoch, std::int64_t position) const {
  const Keys keys = keys_of(epoch);
  auto value = static_cast<std::uint64_t>(position);
  do value = once(keys, value);
  while (value >= size_);
  return static_cast<std::int64_t>(value);
}

}  // namespace entrain::sharding
