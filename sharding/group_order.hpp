#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "sharding/permutation.hpp"

namespace entrain::sharding {

/// The order of samples where no two of a class may stand in one batch (batch.same_group: forbid). How it comes
/// about: group_order.cpp.
class GroupOrder {
 public:
  /// classes[sample]: 0, 1, ... without gaps. DataError where it cannot be done: fewer classes than a batch has
  /// places, or a class with more samples than an epoch has batches.
  GroupOrder(const std::vector<std::uint32_t>& classes, std::int64_t global_batch, std::uint64_t seed);

  struct Entry {
    std::int64_t sample = 0;
    bool carried = false;  ///< left over from the epoch before
  };
  /// Place `place` of the batch_index-th batch that begins in this epoch. Any thread may call.
  std::vector<Entry> batch(std::int64_t epoch, std::int64_t batch_index, std::int64_t first,
                           std::int64_t count) const;

 private:
  struct Epoch {
    std::int64_t batches = 0;
    std::vector<std::uint32_t> line;  // sample << 1 | carried
  };
  std::int64_t left_over(std::int64_t epoch) const;  // samples of it that the next one trains
  struct LeftOver {
    std::uint32_t of_class, sample;
  };
  std::vector<LeftOver> members_left_over(std::int64_t epoch) const;
  Epoch make(std::int64_t epoch) const;
  std::shared_ptr<const Epoch> at(std::int64_t epoch) const;
  std::int64_t turn(std::int64_t epoch, std::uint32_t the_class) const;

  std::int64_t num_samples_, global_batch_;
  std::vector<std::uint32_t> first_, members_;  // members of class c: members_[first_[c] ... first_[c + 1])
  Permutation class_order_;
  std::uint64_t seed_;
  struct Memo {
    std::mutex mutex;
    std::map<std::int64_t, std::shared_ptr<const Epoch>> epochs;
  };
  std::shared_ptr<Memo> memo_ = std::make_shared<Memo>();  // the last two epochs; copies of a plan share it
};

}  // namespace entrain::sharding
