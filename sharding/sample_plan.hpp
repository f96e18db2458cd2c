#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace entrain::sharding {

/// One place of a batch: which sample stands there, in its epoch-th turn.
struct Slot {
  std::int64_t sample = 0;
  std::int64_t epoch = 0;
  bool operator==(const Slot&) const = default;
};

/// Who is seen when: a pure function of (number of samples N, global batch G, seed, step). The stream of
/// samples is one keyed permutation of [0, N) per epoch, epochs end to end; batch s is positions [sG,
/// (s+1)G). Nothing is padded, dropped or repeated, and no sample stands twice in one batch (see
/// sample_plan.cpp).
class SamplePlan {
 public:
  /// DataError if num_samples < global_batch.
  SamplePlan(std::int64_t num_samples, std::int64_t global_batch, std::uint64_t seed);

  std::int64_t num_samples() const { return num_samples_; }
  std::int64_t global_batch() const { return global_batch_; }
  /// The G slots of a step; lane l of m images owns [l*m, (l+1)*m). Any thread may call.
  std::vector<Slot> batch(std::int64_t step) const;
  /// The same for slots [first, first + count) only.
  std::vector<Slot> batch(std::int64_t step, std::int64_t first, std::int64_t count) const;
  /// SHA-256, hex, of the settings and of a probe of the order, so that a change of the algorithm shows.
  std::string digest() const;

 private:
  using Head = std::vector<std::int64_t>;
  std::int64_t raw(std::int64_t epoch, std::int64_t position) const;
  std::int64_t carried_into(std::int64_t epoch) const { return epoch * num_samples_ % global_batch_; }
  std::shared_ptr<const Head> head(std::int64_t epoch) const;
  Head make_head(std::int64_t epoch, const Head* before) const;

  std::int64_t num_samples_, global_batch_;
  std::uint64_t seed_;
  std::int64_t half_;  // side of the Feistel square
  struct Memo {
    std::mutex mutex;
    std::map<std::int64_t, std::shared_ptr<const Head>> heads;
  };
  std::shared_ptr<Memo> memo_ =
      std::make_shared<Memo>();  // the last few heads; copies of a plan may share it
};

}  // namespace entrain::sharding
