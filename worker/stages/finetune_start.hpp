#pragma once
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/models/network.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Where the weights come from before the first label is seen.
struct FinetuneStart {
  std::string kind;            ///< scratch | pretrained: what tables call the arm
  std::string from;            ///< scratch, a checkpoint's folder, or a file
  std::string weights_digest;  ///< of what was found there; "" from scratch
  ModelSection model;
  std::string lineage;  ///< none: scratch | known: the checkpoint says | unknown: a file cannot say
  at::Tensor pretrain_groups, train_groups;  ///< undefined: none
  std::vector<std::string> class_names;      ///< of a classifier that is there already; empty: there is none
};

/// Reads what init.from names. CheckpointError where nothing usable is there, and where its network or number of
/// channels is not that of the configuration and the corpus: names both. Not collective.
FinetuneStart read_start(const ResolvedConfig& resolved, std::int64_t in_channels);

/// model.name: the configuration's where it sets one, which must then be `saved`; else `saved`, found at `where`.
ModelSection model_of(const ResolvedConfig& resolved, const std::string& saved, const std::string& where);
/// CheckpointError unless a network for `saved` channels, found at `where`, can read images of `in_channels`.
void require_channels(std::int64_t saved, std::int64_t in_channels, const std::string& where);

/// The encoder's weights, into the network.
void load_start(const FinetuneStart& start, ClassifierNetwork& network);
/// The classifier's too, where there is one of the same classes, in any order: an earlier fine-tuning goes on with
/// other patients. False: there is none, the network's stays as it is.
bool load_start_classifier(const FinetuneStart& start, const std::vector<std::string>& class_names,
                           ClassifierNetwork& network);

/// For each class of `to` its place in `from`; empty unless both hold the same names.
std::vector<std::int64_t> class_order(const std::vector<std::string>& from,
                                      const std::vector<std::string>& to);

}  // namespace entrain::worker
