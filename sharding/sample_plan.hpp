#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sharding/group_order.hpp"
#include "sharding/permutation.hpp"
#include "sharding/slab_order.hpp"

namespace entrain::sharding {

/// One place of a batch: which sample stands there, in its epoch-th turn.
struct Slot {
  std::int64_t sample = 0;
  std::int64_t epoch = 0;
  bool operator==(const Slot&) const = default;
};

/// What a plan is a pure function of.
struct PlanSettings {
  std::int64_t num_samples = 0;   ///< N
  std::int64_t global_batch = 0;  ///< G
  std::uint64_t seed = 0;
  /// Class of each sample; no two of a class stand in one batch (batch.same_group: forbid). Empty: any two may.
  std::vector<std::uint32_t> classes{};
  /// For a plan that begins in the middle of a run, where patients are left out from then on.
  std::int64_t first_step = 0, first_epoch = 0;
  /// Samples that are decoded together are seen at about the same time. No ends: one permutation of all. With classes,
  /// which have an order of their own, they do not count.
  SlabSettings slabs{};
};

/// SHA-256, hex, of where slabs end; empty without slabs.
std::string digest_of_slabs(const std::vector<std::int64_t>& ends);

/// Who is seen when: a pure function of its settings and the step. The stream of samples is one keyed permutation of
/// [0, N) per epoch (with slabs: slab_order.hpp), epochs end to end; a batch is the next G of them. Nothing is padded, dropped or repeated, and no
/// sample stands twice in one batch (sample_plan.cpp; with classes: group_order.cpp).
class SamplePlan {
 public:
  /// DataError if N < G, or where classes are too few or too large.
  explicit SamplePlan(PlanSettings settings);
  SamplePlan(std::int64_t num_samples, std::int64_t global_batch, std::uint64_t seed)
      : SamplePlan(PlanSettings{num_samples, global_batch, seed}) {}

  std::int64_t num_samples() const { return num_samples_; }
  std::int64_t global_batch() const { return global_batch_; }
  std::int64_t first_step() const { return first_step_; }
  std::int64_t first_epoch() const { return first_epoch_; }
  /// The G slots of a step (from first_step on); lane l of m images owns [l*m, (l+1)*m). Any thread may call.
  std::vector<Slot> batch(std::int64_t step) const;
  /// The same for slots [first, first + count) only.
  std::vector<Slot> batch(std::int64_t step, std::int64_t first, std::int64_t count) const;
  /// The epoch that the last slot of a step belongs to; those before it may be of the epoch before.
  std::int64_t epoch_of(std::int64_t step) const;
  /// SHA-256, hex, of the settings and of a probe of the order, so that a change of the algorithm shows.
  std::string digest() const;
  /// SHA-256, hex, of the classes; empty without.
  const std::string& classes_digest() const { return classes_digest_; }
  /// digest_of_slabs(); empty where slabs do not count.
  const std::string& slabs_digest() const { return slabs_digest_; }

 private:
  using Head = std::vector<std::int64_t>;
  std::int64_t carried_into(std::int64_t epoch) const;
  std::shared_ptr<const Head> head(std::int64_t epoch) const;
  Head make_head(std::int64_t epoch, const Head* before) const;
  void add_permuted(std::int64_t at, std::int64_t count, Slot* out) const;
  template <typename Act>
  void for_each_raw(std::int64_t epoch, std::int64_t first, std::int64_t count, Act act) const;

  std::int64_t num_samples_, global_batch_, first_step_, first_epoch_;
  std::uint64_t seed_;
  Permutation order_;
  std::string classes_digest_, slabs_digest_, slabs_text_;
  std::shared_ptr<const SlabOrder> slab_order_;  // in place of order_; null without slabs
  std::shared_ptr<const GroupOrder> groups_;     // null without classes
  struct Memo {
    std::mutex mutex;
    std::map<std::int64_t, std::shared_ptr<const Head>> heads;
  };
  std::shared_ptr<Memo> memo_ =
      std::make_shared<Memo>();  // the last few heads; copies of a plan may share it
};

}  // namespace entrain::sharding
