#include "worker/stages/finetune_setup.hpp"

#include <ATen/ATen.h>

#include <functional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/philox.hpp"
#include "configs/section.hpp"
#include "sharding/value_window.hpp"
#include "worker/stages/lineage.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/shared_corpus.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

std::uint64_t seed_of(std::uint64_t seed, std::int64_t repeat) {
  if (repeat == 0) return seed;
  const auto mixed =
      philox4x32({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                  static_cast<std::uint32_t>(repeat), static_cast<std::uint32_t>(Purpose::kLabelFraction)},
                 {0x52455045U, 0x41544545U});
  return std::uint64_t{mixed[0]} << 32 | mixed[1];
}

PlainViews plain_views(Stage& stage, const sharding::Corpus& train) {
  const auto window =
      found_together(stage.comm, [&] { return sharding::value_window(stage.config().data, train); });
  return {stage.config().views, window.low, window.high, stage.config().batch.lane_images};
}

// "finetune.repeat was 0 and is 1"; empty: a run of `facts` computed what this one would.
std::string first_difference(const nlohmann::json& facts, const std::map<std::string, std::string>& values,
                             const FinetuneSetup& s) {
  const auto differ = [](const std::string& key, const std::string& was, const std::string& is) {
    return cat(key, " was ", was, " and is ", is);
  };
  const auto saved = facts.at("config").get<std::map<std::string, std::string>>();
  std::vector<std::string> keys = differing_keys(saved, values);
  for (const auto& [key, value] : values)
    if (key.rfind("finetune.", 0) == 0 && (saved.count(key) == 0 || saved.at(key) != value))
      keys.push_back(key);
  // Where the model is the checkpoint's, the configuration's default says nothing.
  std::erase(keys, std::string("model.name"));
  for (const std::string& key : keys)
    return differ(key, saved.count(key) != 0 ? saved.at(key) : "absent",
                  values.count(key) != 0 ? values.at(key) : "absent");
  const std::string model = facts.at("model"), digest = facts.at("init_digest"),
                    corpus = facts.at("corpus_digest");
  if (model != s.start.model.name) return differ("model.name", model, s.start.model.name);
  if (digest != s.start.weights_digest)
    return differ("init.from", cat(std::string(facts.at("init_from")), " (weights ", digest, ")"),
                  cat(s.start.from, " (weights ", s.start.weights_digest, ")"));
  if (corpus != s.corpus.digest())
    return differ("data.files", "a corpus of digest " + corpus, "one of " + s.corpus.digest());
  return "";
}

}  // namespace

FinetuneSetup::FinetuneSetup(Stage& stage)
    : corpus(open_corpus(stage)),
      sets(found_together(stage.comm, [&] { return finetune_sets(corpus, stage.config()); })),
      start(found_together(stage.comm, [&] { return read_start(stage.resolved, corpus.shape().channels); })),
      network(start.model, corpus.shape().channels, static_cast<std::int64_t>(class_names().size()),
              stage.config().run.seed, residence_of(stage)),
      plain(plain_views(stage, sets.train)),
      committer(require_run_dir(stage, "the fine-tuned weights and metrics"), stage.config().checkpoint,
                stage.comm, /*with_ledger=*/false),
      finished(committer.newest()),
      order_seed(seed_of(stage.config().run.seed, stage.config().finetune.repeat)),
      pretrain_groups_(start.pretrain_groups),
      train_groups_(united(start.train_groups, united(group_hashes(sets.train), group_hashes(sets.val)))) {
  together(stage.comm, [&] {
    if (!finished) {
      load_start(start, network);
      write_resolved_config(stage);
      return;
    }
    const auto& facts = finished->manifest;
    if (facts.at("stage") != "finetune")
      throw CheckpointError(cat(finished->dir, ": is of a ", std::string(facts.at("stage")),
                                " run; set run.dir to a folder of its own, init.from to that one"));
    if (const std::string difference = first_difference(facts, stage.resolved.values, *this);
        !difference.empty())
      throw CheckpointError(cat(finished->dir, ": was fine-tuned with other settings: ", difference,
                                ". Set it back, or set run.dir anew"));
    stage.owns_run_folder = true;
  });
  require_shared_run_folder(stage);
  if (stage.config().run.numerics == "fast")
    log(Level::kInfo, "run.numerics: fast is for pretraining; fine-tuning is strict, its batches are small");
  const auto& finetune = stage.config().finetune;
  log(Level::kInfo,
      cat(start.model.name, " from ", start.from, "; ", sets.train.size(), " images of ", sets.train_groups,
          " patients of split \"", finetune.train_split, "\" (fraction ", finetune.label_fraction,
          ", repeat ", finetune.repeat, ") train, ", sets.val.size(), " images of ", sets.val_groups,
          " of \"", finetune.val_split, "\" choose; classes: ", join(class_names())));
}

std::vector<NamedTensor> FinetuneSetup::tensors() const {
  std::vector<NamedTensor> all = network.parameters.all();
  all.push_back({kTrainGroups, train_groups_});
  if (pretrain_groups_.defined()) all.push_back({kPretrainGroups, pretrain_groups_});
  return all;
}

nlohmann::json FinetuneSetup::facts(const Stage& stage, const nlohmann::json& result) const {
  return {{"stage", "finetune"},
          {"model", start.model.name},
          {"in_channels", network.arch.in_channels},
          {"feature_width", network.arch.feature_width()},
          {"image_pixels", plain.views.crop_pixels},
          {"image_type", std::string(sharding::name_of(corpus.shape().type))},
          {"window_low", plain.window_low},
          {"window_high", plain.window_high},
          {"class_names", class_names()},
          {"init", start.kind},
          {"init_from", start.from},
          {"init_digest", start.weights_digest},
          {"lineage", start.lineage},
          {"corpus_digest", corpus.digest()},
          {"result", result},
          {"config", stage.resolved.values},
          {"versions", versions_of(stage)}};
}

}  // namespace entrain::worker
