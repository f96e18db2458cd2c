#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "schedulers/schedule.hpp"
#include "sharding/corpus.hpp"
#include "sharding/sample_plan.hpp"
#include "worker/collectives/lane_layout.hpp"
#include "worker/models/network.hpp"
#include "worker/optim/optimizer.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/stage.hpp"
#include "worker/views/value_window.hpp"

namespace entrain::worker {

/// Everything the pretraining loop works on, made in order of dependence and restored from the newest whole
/// checkpoint. Collective; throws Error on all ranks alike.
struct PretrainSetup {
  explicit PretrainSetup(Stage& stage);
  PretrainSetup(const PretrainSetup&) = delete;
  PretrainSetup& operator=(const PretrainSetup&) = delete;

  sharding::Corpus corpus;
  ValueWindow window;  ///< stored values that become black and white
  LaneBlock slots;     ///< this rank's lanes of the sample plan
  LaneLayout
      layout;  ///< this rank's lanes of the computation: the same, or one big one with `numerics: fast`
  sharding::SamplePlan plan;
  std::int64_t total_steps;
  schedulers::Schedule schedule;
  ContrastiveNetwork network;
  std::unique_ptr<Optimizer> optimizer;
  Committer committer;
  std::int64_t step = 0;  ///< finished steps

  /// Everything that a bit-exact resume needs; views of live storage.
  std::vector<NamedTensor> tensors() const;
  /// What the manifest says besides: configuration, corpus, layout, model, versions.
  nlohmann::json facts() const;

 private:
  void restore(const Stage& stage);

  at::Tensor groups_;  ///< lineage: hashes of the patients in the corpus, sorted
  nlohmann::json config_values_;
};

}  // namespace entrain::worker
