#include "sharding/slab_cache.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "configs/error.hpp"

namespace entrain::sharding {
namespace {

// Slabs of 100 bytes that hold their key.
class SlabCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<const SlabCache::Bytes> get(std::uint64_t key) {
    return cache_.get(key, 100, [&](SlabCache::Bytes& bytes) {
      ++decoded_;
      std::fill(bytes.begin(), bytes.end(), static_cast<std::byte>(key));
    });
  }
  SlabCache cache_{250};  // room for two
  std::atomic<int> decoded_ = 0;
};

TEST_F(SlabCacheTest, KeepsWhatWasUsedLastWithinItsBudget) {
  for (const std::uint64_t key : {1, 2, 1, 2, 1}) EXPECT_EQ(get(key)->at(99), static_cast<std::byte>(key));
  EXPECT_EQ(decoded_, 2);
  get(3);  // 2 has to go, it was not used for longest
  get(1);
  EXPECT_EQ(decoded_, 3);
  get(2);
  EXPECT_EQ(decoded_, 4);
}

TEST_F(SlabCacheTest, ASlabInSomebodysHandsIsNotOverwritten) {
  const auto held = get(7);
  for (std::uint64_t key = 10; key < 30; ++key) get(key);
  for (const std::byte b : *held) ASSERT_EQ(b, std::byte{7});
}

TEST_F(SlabCacheTest, ASlabLargerThanTheBudgetIsKeptUntilTheNext) {
  SlabCache small(10);
  int decoded = 0;
  const auto decode = [&](SlabCache::Bytes&) { ++decoded; };
  small.get(1, 100, decode);
  small.get(1, 100, decode);
  EXPECT_EQ(decoded, 1);
  small.get(2, 100, decode);
  small.get(1, 100, decode);
  EXPECT_EQ(decoded, 3);
}

TEST_F(SlabCacheTest, ThreadsThatWantTheSameSlabDecodeItOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> decoded = 0, right = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      const auto slab = cache_.get(5, 100, [&](SlabCache::Bytes& bytes) {
        ++decoded;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        std::fill(bytes.begin(), bytes.end(), std::byte{5});
      });
      right += slab->at(50) == std::byte{5};
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(decoded, 1);
  EXPECT_EQ(right, 8);
}

TEST_F(SlabCacheTest, AFailedDecodingIsTriedAgain) {
  EXPECT_THROW(cache_.get(1, 100, [](SlabCache::Bytes&) { throw DataError("damaged"); }), DataError);
  EXPECT_EQ(get(1)->at(0), std::byte{1});
}

}  // namespace
}  // namespace entrain::sharding
