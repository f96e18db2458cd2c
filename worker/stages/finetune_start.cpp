#include "worker/stages/finetune_start.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "checkpoint/digest.hpp"
#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "worker/stages/committer.hpp"
#include "worker/stages/lineage.hpp"

namespace entrain::worker {
namespace {

FinetuneStart from_checkpoint(const ResolvedConfig& resolved, std::int64_t in_channels) {
  const auto found = checkpoint::open_checkpoint(resolved.config.init.from);
  for (const std::string& reason : found.passed_over) log(Level::kWarning, cat("passed over ", reason));
  const checkpoint::CheckpointReader reader(found.dir);
  const auto& facts = found.manifest;
  FinetuneStart start{"pretrained", found.dir, checkpoint::weights_digest(reader.tensors()), {}, "known", {},
                      {},           {}};
  const auto& model = facts.contains("model") ? facts.at("model") : facts.at("config").at("model.name");
  start.model = model_of(resolved, model, found.dir);
  require_channels(facts.at("in_channels"), in_channels, found.dir);
  start.pretrain_groups = read_groups(reader, kPretrainGroups);
  start.train_groups = read_groups(reader, kTrainGroups);
  if (const auto began = facts.find("began_from");
      began != facts.end() && began->value("lineage", "") == "unknown")
    start.lineage = "unknown";
  if (facts.at("stage") != "finetune") return start;
  start.class_names = facts.at("class_names").get<std::vector<std::string>>();
  start.kind = facts.at("init");  // an arm keeps its name over a second fine-tuning
  start.lineage = facts.at("lineage");
  return start;
}

FinetuneStart from_file(const ResolvedConfig& resolved, std::int64_t in_channels) {
  const std::string& path = resolved.config.init.from;
  const checkpoint::SafetensorsFile file(path);
  FinetuneStart start{"pretrained", path, checkpoint::digest_file(path).sha256, {}, "unknown", {}, {}, {}};
  const auto model = file.metadata().find("model");
  start.model =
      model == file.metadata().end() ? resolved.config.model : model_of(resolved, model->second, path);
  const checkpoint::TensorView& stem = file.at("stem.conv.weight");
  if (stem.shape.size() == 4) require_channels(stem.shape[1], in_channels, path);
  log(Level::kWarning, cat(path,
                           ": a file does not say which patients its weights have seen, so nobody can tell "
                           "later whether test patients were among them"));
  return start;
}

}  // namespace

ModelSection model_of(const ResolvedConfig& resolved, const std::string& saved, const std::string& where) {
  ModelSection model = resolved.config.model;
  const auto origin = resolved.origins.find("model.name");
  const bool asked_for = origin != resolved.origins.end() && origin->second != "default";
  if (asked_for && model.name != saved)
    throw CheckpointError(cat("model.name is ", model.name, " (", origin->second, ") but ", where,
                              " holds a ", saved,
                              "; leave model.name out to take the checkpoint's, or name another checkpoint"));
  model.name = saved;
  return model;
}

void require_channels(std::int64_t saved, std::int64_t in_channels, const std::string& where) {
  if (saved != in_channels)
    throw CheckpointError(
        cat(where, " holds a network for images of ", saved, saved == 1 ? " channel" : " channels",
            " but data.files have ", in_channels,
            "; ingest the images anew (with or without --gray), or name another checkpoint"));
}

FinetuneStart read_start(const ResolvedConfig& resolved, std::int64_t in_channels) {
  const std::string& from = resolved.config.init.from;
  if (from == "scratch") return {"scratch", from, "", resolved.config.model, "none", {}, {}, {}};
  return std::filesystem::is_regular_file(from) ? from_file(resolved, in_channels)
                                                : from_checkpoint(resolved, in_channels);
}

void load_start(const FinetuneStart& start, ClassifierNetwork& network) {
  if (start.from != "scratch") load_encoder(network.parameters, start.from);
}

bool load_start_classifier(const FinetuneStart& start, const std::vector<std::string>& class_names,
                           ClassifierNetwork& network) {
  const auto order = class_order(start.class_names, class_names);
  if (order.empty()) return false;
  const at::Tensor weight_KF = at::empty_like(network.weight()), bias_K = at::empty_like(network.bias());
  load_tensors(checkpoint::CheckpointReader(start.from),
               {{"classifier.weight", weight_KF}, {"classifier.bias", bias_K}});
  const at::Tensor order_K = at::tensor(order, at::kLong).to(weight_KF.device());
  network.weight().copy_(weight_KF.index_select(0, order_K));
  network.bias().copy_(bias_K.index_select(0, order_K));
  return true;
}

std::vector<std::int64_t> class_order(const std::vector<std::string>& from,
                                      const std::vector<std::string>& to) {
  std::vector<std::int64_t> order;
  for (const std::string& name : to) {
    const auto at = std::find(from.begin(), from.end(), name);
    if (at == from.end() || from.size() != to.size()) return {};
    order.push_back(at - from.begin());
  }
  return order;
}

}  // namespace entrain::worker
