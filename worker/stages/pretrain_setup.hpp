#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "schedulers/schedule.hpp"
#include "sharding/corpus.hpp"
#include "sharding/order_choice.hpp"
#include "sharding/sample_plan.hpp"
#include "sharding/value_window.hpp"
#include "worker/collectives/lane_layout.hpp"
#include "worker/models/network.hpp"
#include "worker/optim/optimizer.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/lineage.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Everything the pretraining loop works on, made in order of dependence. Collective; throws Error on all ranks alike.
struct PretrainSetup {
  explicit PretrainSetup(Stage& stage);
  PretrainSetup(const PretrainSetup&) = delete;
  PretrainSetup& operator=(const PretrainSetup&) = delete;

  sharding::Corpus corpus;
  sharding::ValueWindow window;  ///< stored values that become black and white
  LaneBlock slots;               ///< this rank's lanes of the sample plan
  LaneLayout
      layout;  ///< this rank's lanes of the computation: the same, or one big one with `numerics: fast`
  std::vector<std::uint32_t> classes;  ///< batch.same_group forbid and mask: samples that must not meet
  ContrastiveNetwork network;
  std::unique_ptr<Optimizer> optimizer;
  Committer committer;
  const checkpoint::ResumePoint resumes;
  const bool begins_at_random;  ///< init.from is scratch
  const bool new_plan;          ///< other patients are left out than when `resumes.from` was written
  sharding::OrderChoice order;
  sharding::SamplePlan plan;
  const std::int64_t schedule_images;  ///< images of the corpus when the run began
  const std::int64_t total_steps;
  schedulers::Schedule schedule;
  std::int64_t step = 0;  ///< finished steps

  /// The state to go on from: `resumes.from`, or the first weights. Collective.
  void begin(Stage& stage);
  /// Weights, optimiser and step of a checkpoint of this run; none: the beginning. Not collective.
  void load(const std::optional<checkpoint::Found>& from);

  /// Everything that a bit-exact resume needs; views of live storage.
  std::vector<NamedTensor> tensors() const;
  /// What the manifest says besides: configuration, corpus, plan, model, versions.
  nlohmann::json facts() const;

 private:
  void check_same_run(const Stage& stage) const;
  std::vector<NamedTensor> trained() const;
  nlohmann::json start_facts(const Stage& stage) const;

  Ancestry ancestry_;
  at::Tensor groups_;  ///< lineage: hashes of the patients that the run has seen, sorted
  nlohmann::json config_values_, versions_, plan_;
};

}  // namespace entrain::worker
