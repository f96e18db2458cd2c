#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/ledger.hpp"
#include "checkpoint/store.hpp"
#include "sharding/batch_digest.hpp"
#include "sharding/sample_plan.hpp"

namespace entrain::tests {

/// Writes the ledger and the checkpoints that a pretraining run would, without a network: the batches of the real plan,
/// committed by the real store. A START, or a commit, at a time; a crash is a START after no END.
class LedgerRun {
 public:
  static constexpr std::int64_t kLanes = 4, kLaneImages = 4, kBatch = kLanes * kLaneImages;

  explicit LedgerRun(const std::string& dir) : dir_(dir), store_(dir, {100}), ledger_(dir) {}

  checkpoint::Ledger& ledger() { return ledger_; }
  /// What START's "plan" says beyond what follows from `settings`.
  struct Facts {
    std::string same_group = "allow", corpus_digest = "c0ffee", left_out_sha256{};
    std::vector<std::string> left_out{}, data_files{};
    std::int64_t images_left_out = 0;
    std::vector<std::int64_t> rows_per_slab{};  ///< of a run in windows
  };
  void start(int world, const sharding::PlanSettings& settings, const Facts& facts);
  void start(int world, std::int64_t num_samples) {
    start(world, {.num_samples = num_samples, .global_batch = kBatch, .seed = 7}, Facts{});
  }
  /// Trains parent + 1 .. step and commits. `on_disk`: as a checkpoint too.
  void commit(std::int64_t step, std::int64_t parent, bool on_disk = false);
  nlohmann::json span(std::int64_t step, std::int64_t parent) const;

 private:
  std::string dir_;
  checkpoint::CheckpointStore store_;
  checkpoint::Ledger ledger_;
  std::optional<sharding::SamplePlan> plan_;
  int world_ = 0;
};

inline void LedgerRun::start(int world, const sharding::PlanSettings& settings, const Facts& facts) {
  world_ = world;
  plan_.emplace(settings);
  nlohmann::json plan{
      {"digest", plan_->digest()},
      {"num_samples", settings.num_samples},
      {"global_batch", settings.global_batch},
      {"seed", settings.seed},
      {"same_group", facts.same_group},
      {"classes_digest", plan_->classes_digest()},
      {"first_step", settings.first_step},
      {"first_epoch", settings.first_epoch},
      {"excluded",
       {{"sha256", facts.left_out_sha256}, {"groups", facts.left_out}, {"images", facts.images_left_out}}}};
  if (!facts.rows_per_slab.empty())
    plan["slabs"] = {{"rows_per_slab", facts.rows_per_slab},
                     {"open_slabs", settings.slabs.open_slabs},
                     {"lane_images", settings.slabs.lane_images},
                     {"digest", plan_->slabs_digest()}};
  ledger_.append({{"kind", "START"},
                  {"world", world},
                  {"lanes", kLanes},
                  {"lane_images", kLaneImages},
                  {"corpus_digest", facts.corpus_digest},
                  {"data_files", facts.data_files},
                  {"plan", plan}});
  store_.set_generation(ledger_.generation());
}

inline nlohmann::json LedgerRun::span(std::int64_t step, std::int64_t parent) const {
  nlohmann::json span{
      {"first", parent + 1}, {"last", step}, {"world", world_}, {"batches", nlohmann::json::array()}};
  for (std::int64_t s = parent + 1; s <= step; ++s) {
    sharding::BatchDigest sum;
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      sum += sharding::digest_of_lane(lane, plan_->batch(s - 1, lane * kLaneImages, kLaneImages));
    span["batches"].push_back(sum.hex());
    span["loss"].push_back("3ff0000000000000");
  }
  return span;
}

inline void LedgerRun::commit(std::int64_t step, std::int64_t parent, bool on_disk) {
  if (!on_disk) {
    ledger_.append({{"kind", "COMMIT"}, {"step", step}, {"parent", parent}, {"span", span(step, parent)}});
    return;
  }
  const std::vector<std::int64_t> weights(16, step);
  const auto vote = store_.write_shard(
      step, {{"w", checkpoint::DType::kI64, {16}, reinterpret_cast<const std::byte*>(weights.data())}}, 0, 1);
  store_.commit(step, {vote}, {{"parent", parent}, {"span", span(step, parent)}}, &ledger_);
}

}  // namespace entrain::tests
