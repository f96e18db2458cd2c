// The keyed permutation held against a plain one written down again, its inverse, and the statistics of a shuffle, which
// the same construction with fewer rounds fails.
#include "sharding/permutation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "configs/cat.hpp"
#include "configs/philox.hpp"

namespace entrain::tests {
namespace {
using sharding::Permutation;
using Values = std::vector<std::int64_t>;

// permutation.cpp's network one value at a time, with divisions; also with fewer rounds, and backwards.
class Plain {
 public:
  Plain(std::uint64_t size, std::uint64_t seed, std::uint32_t use, std::uint64_t epoch, int rounds = 8)
      : size_(size), half_(1), keys_(static_cast<std::size_t>(rounds)) {
    half_ = static_cast<std::uint64_t>(std::sqrt(static_cast<long double>(size)));
    while (half_ * half_ < size) ++half_;
    for (std::uint32_t k = 0; k < keys_.size(); ++k)
      keys_[k] = philox4x32({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), 1,
                             static_cast<std::uint32_t>(epoch)},
                            {static_cast<std::uint32_t>(epoch >> 32) ^ (k / 4) << 31, use})[k % 4];
  }
  std::uint64_t at(std::uint64_t value) const {
    do {
      for (const std::uint32_t key : keys_) {
        const std::uint64_t left = value / half_, right = value % half_;
        value = right * half_ + (left + drawn(key, right)) % half_;
      }
    } while (value >= size_);
    return value;
  }
  std::uint64_t position_of(std::uint64_t value) const {
    do {
      for (auto key = keys_.rbegin(); key != keys_.rend(); ++key) {
        const std::uint64_t left = value / half_, right = value % half_;
        value = (right + half_ - drawn(*key, left)) % half_ * half_ + left;
      }
    } while (value >= size_);
    return value;
  }

 private:
  std::uint64_t drawn(std::uint32_t key, std::uint64_t other) const {
    std::uint32_t x = static_cast<std::uint32_t>(other) ^ key;
    x = (x ^ x >> 16) * 0x7feb352dU;
    x = (x ^ x >> 15) * 0x846ca68bU;
    return (x ^ x >> 16) * half_ >> 32;
  }
  std::uint64_t size_, half_;
  std::vector<std::uint32_t> keys_;
};

Values order_of(std::int64_t size, std::uint64_t seed, std::int64_t epoch, std::int64_t first = 0,
                std::int64_t count = -1) {
  Values values;
  Permutation(size, seed, 7)
      .for_each(epoch, first, count < 0 ? size : count, [&](std::int64_t i, std::int64_t v) {
        EXPECT_EQ(i, static_cast<std::int64_t>(values.size()));
        values.push_back(v);
      });
  return values;
}

TEST(Permutation, IsABijectionAndThePlainOne) {
  for (std::int64_t size = 1; size < 3000; size += size < 400 ? 1 : 37) {
    Values values = order_of(size, 3, size);
    const Plain plain(static_cast<std::uint64_t>(size), 3, 7, static_cast<std::uint64_t>(size));
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], plain.at(i)) << size << " at " << i;
    std::sort(values.begin(), values.end());
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i) << size;
  }
  Values values = order_of(2'000'003, 1, 0);
  std::sort(values.begin(), values.end());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i);
}

TEST(Permutation, LargeSizesHaveAnInverse) {
  std::mt19937_64 random(1);
  for (const std::int64_t size :
       {(1LL << 32) - 1, 1LL << 32, (1LL << 32) + 1, (1LL << 40) - 87, (1LL << 61) + 1, 1LL << 62})
    for (const std::int64_t epoch : {0LL, 1LL << 33})
      for (int trial = 0; trial < 50; ++trial) {
        const auto first =
            std::min(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(size)), size - 40);
        const Plain plain(static_cast<std::uint64_t>(size), 5, 7, static_cast<std::uint64_t>(epoch));
        const Values values = order_of(size, 5, epoch, first, 40);
        for (std::int64_t i = 0; i < 40; ++i) {
          ASSERT_LT(values[static_cast<std::size_t>(i)], size);
          ASSERT_EQ(plain.position_of(static_cast<std::uint64_t>(values[static_cast<std::size_t>(i)])),
                    first + i)
              << size;
        }
      }
}

TEST(Permutation, AnyPartIsThatOfTheWhole) {
  for (const std::int64_t size : {1, 31, 32, 33, 1000, 1023, 1024, 1025, 5824}) {
    const Values whole = order_of(size, 9, 4);
    const Permutation permutation(size, 9, 7);
    for (std::int64_t first = 0; first < size; first += 1 + size / 50)
      for (const std::int64_t count : {1L, 31L, 32L, 33L, 100L}) {
        const std::int64_t n = std::min(count, size - first);
        const auto begin = whole.begin() + first;
        ASSERT_EQ(order_of(size, 9, 4, first, n), Values(begin, begin + n)) << size << " from " << first;
        ASSERT_EQ(permutation.at(4, first), *begin);
      }
  }
  EXPECT_THROW(Permutation(0, 1, 1), std::logic_error);
}

/// How far a statistic is from what a random shuffle gives, in standard deviations.
using Deviations = std::map<std::string, double>;

double chi_squared(const std::vector<double>& counts) {
  const double expected =
      std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
  double chi = 0;
  for (const double count : counts) chi += (count - expected) * (count - expected) / expected;
  const auto degrees = static_cast<double>(counts.size() - 1);
  return (chi - degrees) / std::sqrt(2 * degrees);
}

// Pairs (a, b) over all epochs: equal ones (one per order, Poisson), their differences, and both in a grid.
class Pairs {
 public:
  explicit Pairs(std::int64_t size) : size_(size) {}
  void add(std::int64_t a, std::int64_t b) {
    equal_ += a == b;
    ++differences_[static_cast<std::size_t>((b - a + size_) % size_ * 64 / size_)];
    ++grid_[static_cast<std::size_t>(a * 16 / size_ * 16 + b * 16 / size_)];
  }
  void report(const std::string& name, double orders, Deviations& out) const {
    if (name != "neighbours") out[name + ": equal"] = (equal_ - orders) / std::sqrt(orders);
    out[name + ": differences"] = chi_squared(differences_);
    out[name + ": grid"] = chi_squared(grid_);
  }

 private:
  std::int64_t size_;
  double equal_ = 0;
  std::vector<double> differences_ = std::vector<double>(64), grid_ = std::vector<double>(256);
};

// order(seed, epoch) -> all values. A size that is a multiple of 64, so that every bin is as likely.
template <typename Order>
Deviations deviations(std::int64_t size, Order order) {
  constexpr int kEpochs = 60;
  Pairs fixed(size), neighbours(size), epochs(size), seeds(size), seed_and_epoch(size);
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    const Values here = order(1, epoch), next = order(1, epoch + 1), other = order(2, epoch);
    for (std::int64_t i = 0; i < size; ++i) {
      const auto at = static_cast<std::size_t>(i);
      fixed.add(i, here[at]);
      if (i + 1 < size) neighbours.add(here[at], here[at + 1]);
      epochs.add(here[at], next[at]);
      seeds.add(here[at], other[at]);
      seed_and_epoch.add(next[at], other[at]);
    }
  }
  Deviations out;
  fixed.report("fixed points", kEpochs, out);
  neighbours.report("neighbours", kEpochs, out);
  epochs.report("epochs", kEpochs, out);
  seeds.report("seeds", kEpochs, out);
  seed_and_epoch.report("seed and epoch", kEpochs, out);
  return out;
}

double worst(const Deviations& all, std::string& names) {
  double most = 0;
  for (const auto& [name, deviation] : all) {
    most = std::max(most, std::abs(deviation));
    names += cat(name, ' ', deviation, '\n');
  }
  return most;
}

TEST(Permutation, LooksLikeAShuffleWhereFewerRoundsDoNot) {
  for (const std::int64_t size : {1024, 4096 - 64, 1 << 14}) {
    const auto plain = [&](int rounds) {
      return deviations(size, [&](std::uint64_t seed, int epoch) {
        const Plain weak(static_cast<std::uint64_t>(size), seed, 7, static_cast<std::uint64_t>(epoch),
                         rounds);
        Values values(static_cast<std::size_t>(size));
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(weak.at(i));
        return values;
      });
    };
    std::mt19937_64 random(size);
    const auto shuffled = deviations(size, [&](std::uint64_t, int) {
      Values values(static_cast<std::size_t>(size));
      std::iota(values.begin(), values.end(), 0);
      std::shuffle(values.begin(), values.end(), random);
      return values;
    });
    const auto ours =
        deviations(size, [&](std::uint64_t seed, int epoch) { return order_of(size, seed, epoch); });
    std::string names;
    EXPECT_LT(worst(shuffled, names), 5) << size << '\n' << names;
    EXPECT_LT(worst(ours, names = ""), 5) << size << '\n' << names;
    for (const int rounds : {1, 2, 3})
      EXPECT_GT(worst(plain(rounds), names = ""), 20) << size << ", rounds " << rounds;
  }
}

// What stands at three places of a small order, jointly. (All orders at once would show what every Feistel network has:
// it permutes its square evenly. No N - 2 places tell, so nothing that trains does.)
template <typename At>
double deviation_of_triples(std::int64_t size, At at) {
  std::map<Values, double> counts;
  const std::int64_t cells = size * (size - 1) * (size - 2);
  for (std::int64_t epoch = 0; epoch < 60 * cells; ++epoch)
    ++counts[{at(epoch, 0), at(epoch, 1), at(epoch, size / 2)}];
  std::vector<double> all;
  for (const auto& [triple, count] : counts) all.push_back(count);
  all.resize(static_cast<std::size_t>(cells));
  return chi_squared(all);
}

TEST(Permutation, ThreePlacesOfASmallOneAreIndependentWhereFewerRoundsAreNot) {
  for (const std::int64_t size : {4, 12, 20}) {
    const Permutation permutation(size, 4, 7);
    EXPECT_LT(deviation_of_triples(size, [&](auto epoch, auto at) { return permutation.at(epoch, at); }), 5)
        << size;
    const auto weak = [&](std::int64_t epoch, std::int64_t at) {
      const Plain plain(static_cast<std::uint64_t>(size), 4, 7, static_cast<std::uint64_t>(epoch), 3);
      return static_cast<std::int64_t>(plain.at(static_cast<std::uint64_t>(at)));
    };
    EXPECT_GT(deviation_of_triples(size, weak), 20) << size;
  }
}

}  // namespace
}  // namespace entrain::tests
