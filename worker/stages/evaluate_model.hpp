#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker/models/network.hpp"
#include "worker/stages/image_rows.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// A fine-tuned checkpoint, ready to look at images the way it was trained to.
struct EvaluateModel {
  std::string dir;             ///< of the checkpoint
  std::string weights_digest;  ///< of encoder and classifier
  nlohmann::json facts;        ///< its manifest's
  std::vector<std::string> class_names;
  at::Tensor pretrain_groups, train_groups;  ///< lineage; undefined: none known
  PlainViews plain;                          ///< size and window of the fine-tuning
  std::unique_ptr<ClassifierNetwork> network;
};

/// Reads what init.from names, to look at `corpus`. CheckpointError where there is nothing usable or no classifier,
/// where the configuration sets another model or size of image, or the images have other channels. The window is
/// the configuration's where it sets one (another scanner's range), the checkpoint's for images of the type it was
/// tuned on, else that of value_window(). Not collective.
EvaluateModel open_evaluate_model(const ResolvedConfig& resolved, const sharding::Corpus& corpus,
                                  const Residence& residence = {});

}  // namespace entrain::worker
