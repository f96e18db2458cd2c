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

/// Reads what init.from names, for images of `in_channels`. CheckpointError where there is nothing usable or no
/// classifier, where the configuration sets another model or size of image, or the images have other channels.
/// A data.window_low or window_high that the configuration sets holds for the new corpus. Not collective.
EvaluateModel open_evaluate_model(const ResolvedConfig& resolved, std::int64_t in_channels);

}  // namespace entrain::worker
