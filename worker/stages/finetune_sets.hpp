#pragma once
#include "sharding/corpus.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// The labelled rows that fine-tuning may look at. Test rows are not among them and cannot be reached from here.
struct FinetuneSets {
  sharding::Corpus train;  ///< of finetune.train_split, the patients of the drawn label fraction
  sharding::Corpus val;    ///< all of finetune.val_split: chooses
  std::int64_t train_groups = 0, val_groups = 0;
};

/// DataError unless every class has a name in UTF-8: they go into manifests, which are JSON. Not collective.
void require_utf8_classes(const sharding::Corpus& corpus);

/// Cuts them out of a corpus with labels and splits. Pure: the same for every rank. DataError where labels, splits
/// or rows are missing, or validation holds one class only.
FinetuneSets finetune_sets(const sharding::Corpus& corpus, const RunConfig& config);

}  // namespace entrain::worker
