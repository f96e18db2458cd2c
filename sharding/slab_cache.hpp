#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace entrain::sharding {

/// The slabs that were decoded last, within a budget of bytes. A slab that several threads ask for is decoded once.
class SlabCache {
 public:
  using Bytes = std::vector<std::byte>;
  explicit SlabCache(std::size_t budget) : budget_(budget) {}

  /// The slab of this key, from memory or from `decode`, which fills a buffer of `bytes`; where it throws, the next who asks
  /// tries again. The newest slab is kept even where it is larger than the budget.
  std::shared_ptr<const Bytes> get(std::uint64_t key, std::size_t bytes,
                                   const std::function<void(Bytes&)>& decode);

  std::size_t budget() const { return budget_; }

 private:
  struct Entry {
    std::shared_ptr<Bytes> bytes;  // null while it is decoded
    std::list<std::uint64_t>::iterator used;
  };
  void make_room();
  std::shared_ptr<Bytes> buffer(std::size_t bytes);

  const std::size_t budget_;
  std::mutex mutex_;
  std::condition_variable decoded_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::list<std::uint64_t> recent_;  // decoded ones, the latest first
  std::size_t held_ = 0;
  std::shared_ptr<Bytes> spare_;  // of the slab that went last: most slabs are of one size
};

}  // namespace entrain::sharding
