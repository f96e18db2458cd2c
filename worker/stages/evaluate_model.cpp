#include "worker/stages/evaluate_model.hpp"

#include <ATen/ATen.h>

#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "sharding/value_window.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/finetune_start.hpp"
#include "worker/stages/lineage.hpp"

namespace entrain::worker {
namespace {

// Where the configuration itself sets a key; empty: it does not.
std::string set_at(const ResolvedConfig& resolved, const std::string& key) {
  const auto origin = resolved.origins.find(key);
  return origin == resolved.origins.end() || origin->second == "default" ? "" : origin->second;
}

sharding::ValueWindow window_for(const ResolvedConfig& resolved, const nlohmann::json& facts,
                                 const sharding::Corpus& corpus) {
  const bool set =
      !set_at(resolved, "data.window_low").empty() || !set_at(resolved, "data.window_high").empty();
  if (!set && facts.at("image_type") == sharding::name_of(corpus.shape().type))
    return {facts.at("window_low"), facts.at("window_high")};
  return sharding::value_window(resolved.config.data, corpus);
}

PlainViews views_for(const ResolvedConfig& resolved, const nlohmann::json& facts, const std::string& dir,
                     const sharding::Corpus& corpus) {
  const sharding::ValueWindow window = window_for(resolved, facts, corpus);
  PlainViews plain{resolved.config.views, window.low, window.high, resolved.config.batch.lane_images};
  const std::int64_t side = facts.at("image_pixels");
  const std::string origin = set_at(resolved, "views.crop_pixels");
  if (!origin.empty() && plain.views.crop_pixels != side)
    throw CheckpointError(cat("views.crop_pixels is ", plain.views.crop_pixels, " (", origin, ") but ", dir,
                              " was fine-tuned at ", side, " pixels; leave it out to take the checkpoint's"));
  plain.views.crop_pixels = side;
  return plain;
}

}  // namespace

EvaluateModel open_evaluate_model(const ResolvedConfig& resolved, const sharding::Corpus& corpus,
                                  const Residence& residence) {
  const std::int64_t in_channels = corpus.shape().channels;
  const std::string& from = resolved.config.init.from;
  if (from == "scratch")
    throw ConfigError("init.from is not set: evaluate needs the run directory of a fine-tuning");
  const auto found = checkpoint::open_checkpoint(from);
  for (const std::string& reason : found.passed_over) log(Level::kWarning, cat("passed over ", reason));
  const checkpoint::CheckpointReader reader(found.dir);
  EvaluateModel model;
  model.dir = found.dir;
  model.facts = found.manifest;
  if (!reader.has("classifier.weight"))
    throw CheckpointError(cat(found.dir, ": has no classifier (a ", std::string(model.facts.at("stage")),
                              " run); fine-tune first: entrain finetune CONFIG init.from=", from,
                              " run.dir=F, then evaluate with init.from=F"));
  model.weights_digest = checkpoint::weights_digest(reader.tensors());
  model.class_names = model.facts.at("class_names").get<std::vector<std::string>>();
  require_channels(model.facts.at("in_channels"), in_channels, found.dir);
  model.plain = views_for(resolved, model.facts, found.dir, corpus);
  model.network =
      std::make_unique<ClassifierNetwork>(model_of(resolved, model.facts.at("model"), found.dir), in_channels,
                                          static_cast<std::int64_t>(model.class_names.size()), 0, residence);
  load_tensors(reader, model.network->parameters.all());
  model.train_groups = read_groups(reader, kTrainGroups);
  model.pretrain_groups = read_groups(reader, kPretrainGroups);
  return model;
}

}  // namespace entrain::worker
