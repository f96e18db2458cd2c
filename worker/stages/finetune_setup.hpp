#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "worker/models/network.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/finetune_selection.hpp"
#include "worker/stages/finetune_sets.hpp"
#include "worker/stages/finetune_start.hpp"
#include "worker/stages/image_rows.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// What both ways of fine-tuning work on. Collective; throws Error on all ranks alike.
struct FinetuneSetup {
  explicit FinetuneSetup(Stage& stage);
  FinetuneSetup(const FinetuneSetup&) = delete;
  FinetuneSetup& operator=(const FinetuneSetup&) = delete;

  sharding::Corpus corpus;
  FinetuneSets sets;
  FinetuneStart start;
  ClassifierNetwork network;  ///< the start's encoder, a classifier of zeros
  PlainViews plain;           ///< how validation images are shown; its window holds for training too
  Committer committer;
  std::optional<checkpoint::Found> finished;  ///< run.dir holds this very fine-tuning already

  const std::vector<std::string>& class_names() const { return corpus.class_names(); }
  /// Order of the images and draws of the views: run.seed and finetune.repeat. Repeat 0 has run.seed itself.
  std::uint64_t order_seed = 0;

  /// Tensors of the result: the network and its lineage; views of live storage.
  std::vector<NamedTensor> tensors() const;
  /// What the manifest says besides; `result` is what metrics.json says.
  nlohmann::json facts(const Stage& stage, const nlohmann::json& result) const;

 private:
  at::Tensor pretrain_groups_, train_groups_;
};

}  // namespace entrain::worker
