#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "sharding/batch_digest.hpp"
#include "sharding/sample_plan.hpp"
#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// What this rank did since the last committed step, for the ledger: a digest of its part of each global batch, the
/// loss, and a witness: digests of this rank's share of the training state one step after a checkpoint, which a resume
/// compares with what it computes itself.
class SpanRecorder {
 public:
  explicit SpanRecorder(std::int64_t committed) : committed_(committed) {}

  /// After each step: the slots that were really read, of lanes first_lane, first_lane + 1, ...
  void add(std::span<const sharding::Slot> slots, std::int64_t first_lane, std::int64_t lane_images,
           double loss);
  /// One step after a snapshot (or a resume).
  void add_witness(const std::vector<NamedTensor>& mine);

  std::int64_t last() const { return committed_ + static_cast<std::int64_t>(steps_.size()); }
  /// This rank's part of the span (committed, last()].
  nlohmann::json part() const;
  /// Steps up to this one are committed: they are told.
  void forget_until(std::int64_t step);

 private:
  struct Step {
    sharding::BatchDigest digest;
    double loss;
  };
  std::int64_t committed_;
  std::deque<Step> steps_;
  std::map<std::int64_t, nlohmann::json> witnesses_;  ///< by step
};

/// The sum of one rank's lanes of a batch.
sharding::BatchDigest digest_of(std::span<const sharding::Slot> slots, std::int64_t first_lane,
                                std::int64_t lane_images);
/// XXH3-128 by tensor name.
nlohmann::json digests_of(const std::vector<NamedTensor>& tensors);
/// The 64 bits of a loss, 16 hex digits, and back.
std::string bits_of(double loss);

/// The span of all ranks, as a COMMIT record has it.
nlohmann::json merged_span(const std::vector<nlohmann::json>& parts);

}  // namespace entrain::worker
