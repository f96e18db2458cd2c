#include "worker/stages/evaluate.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/run_lock.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/section.hpp"
#include "evaluation/decisions.hpp"
#include "evaluation/summary.hpp"
#include "worker/stages/evaluate_model.hpp"
#include "worker/stages/evaluate_table.hpp"
#include "worker/stages/finetune_selection.hpp"
#include "worker/stages/finetune_sets.hpp"
#include "worker/stages/finetune_start.hpp"
#include "worker/stages/lineage.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/shared_corpus.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

std::string counted(std::int64_t n, const char* what) { return cat(n, ' ', what, n == 1 ? "" : "s"); }

// The two ways in which weights can know a patient already; only the first has seen the label.
struct Leakage {
  SeenGroups trained, pretrained;
  bool any() const { return trained.groups + pretrained.groups > 0; }
};

std::string describe(const SeenGroups& seen, bool patients, const char* how) {
  return cat(counted(seen.groups, patients ? "patient" : "image"), " (", counted(seen.images, "image"), ") ",
             how, ": ", join(seen.first),
             seen.groups > static_cast<std::int64_t>(seen.first.size()) ? ", ..." : "");
}

Leakage find_leakage(const EvaluateModel& model, const sharding::Corpus& corpus, bool allowed) {
  const Leakage leakage{seen_groups(corpus, model.train_groups), seen_groups(corpus, model.pretrain_groups)};
  if (!leakage.any()) return leakage;
  std::string text;
  if (leakage.trained.groups > 0)
    text =
        describe(leakage.trained, corpus.has_groups(), "were seen with their labels when it was fine-tuned");
  if (leakage.pretrained.groups > 0)
    text += cat(text.empty() ? "" : "; ",
                describe(leakage.pretrained, corpus.has_groups(),
                         "were seen without labels when the encoder was pretrained (a transductive result)"));
  if (allowed) {
    log(Level::kWarning, cat("the result is marked as leakage: ", text));
    return leakage;
  }
  throw DataError(
      cat(corpus.place(0).file, ": ", model.dir, " knows some of the patients that would test it: ", text,
          ". Choose rows it has not seen (data.use_splits=test); if these are other people of equal "
          "names, give them names of their own; or set evaluate.allow_leakage=true, which marks the result"));
}

std::vector<std::int64_t> label_map(const EvaluateModel& model, const sharding::Corpus& corpus) {
  auto map = class_order(model.class_names, corpus.class_names());
  if (map.empty())
    throw DataError(cat(corpus.place(0).file, ": classes are ", join(corpus.class_names()), " but ",
                        model.dir, " was trained on ", join(model.class_names),
                        "; relabel the file, or name another dataset in data.label"));
  return map;
}

std::string name_of(const RunConfig& config, const sharding::Corpus& corpus) {
  if (!config.evaluate.name.empty()) return config.evaluate.name;
  const std::string name = std::filesystem::path(corpus.place(0).file).stem();
  if (!is_utf8(name))
    throw ConfigError(cat("evaluate.name: is not set, and the name of the file, ", printable(name),
                          ", is not UTF-8; set evaluate.name to what tables shall call this corpus"));
  return name;
}

nlohmann::json identity_of(const EvaluateModel& model, const sharding::Corpus& corpus) {
  return {{"weights_digest", model.weights_digest}, {"corpus_digest", corpus.digest()}};
}

// The same evaluation again may replace itself; the results of another one, or files of nobody we know, stay.
void require_own_results(const std::string& dir, const nlohmann::json& identity) {
  namespace fs = std::filesystem;
  require_folder_of(dir, "evaluate");
  std::ifstream in(dir + "/metrics.json");
  const auto there = nlohmann::json::parse(in, nullptr, false);
  for (const auto& [key, value] : identity.items())
    if (there.is_object() && there.value(key, nlohmann::json()) != value)
      throw CheckpointError(cat(dir, ": holds another evaluation (\"", there.value("name", "?"), "\" by ",
                                there.value("checkpoint", "?"), "): its ", key, " is ",
                                there.value(key, nlohmann::json()).dump(), ", this one's ", value.dump(),
                                "; set run.dir to a folder of its own"));
  if (fs::exists(dir + "/predictions.csv") && !fs::exists(dir + "/config.resolved.yaml"))
    throw CheckpointError(cat(dir,
                              "/predictions.csv: is there already and entrain evaluate did not write it; "
                              "set run.dir to a folder of its own"));
}

// Undefined numbers are said before the table shows them as n/a.
void warn_of_missing_classes(const EvaluateModel& model, const sharding::Corpus& corpus,
                             const std::vector<std::int64_t>& label_of) {
  std::set<std::int64_t> there;
  for (std::int64_t i = 0; i < corpus.size(); ++i)
    there.insert(label_of[static_cast<std::size_t>(corpus.label(i))]);
  std::vector<std::string> missing;
  for (std::size_t c = 0; c < model.class_names.size(); ++c)
    if (there.count(static_cast<std::int64_t>(c)) == 0) missing.push_back(model.class_names[c]);
  if (missing.empty()) return;
  log(Level::kWarning,
      cat(corpus.place(0).file, ": none of the ", corpus.size(), " labelled images is of class ",
          join(missing),
          model.class_names.size() == 2
              ? "; an AUC compares images of both classes, so there is none (n/a, null in metrics.json)"
              : "; AUC and balanced accuracy are over the other classes"));
}

// Sensitivity and specificity here at the thresholds that validation froze.
nlohmann::json operating_points(const EvaluateModel& model, const evaluation::Predictions& p) {
  nlohmann::json points = nlohmann::json::array();
  if (p.classes > 2) return points;
  const auto score = evaluation::one_against_rest(p, 1);
  const std::vector<std::uint8_t> positive(p.label.begin(), p.label.end());
  for (const auto& frozen : model.facts.at("result").at("validation").at("thresholds")) {
    if (!frozen.at("threshold").is_number()) continue;  // none kept that specificity
    const auto here = evaluation::operate(score, positive, frozen.at("threshold"));
    points.push_back({{"validation_specificity", frozen.at("specificity")},
                      {"threshold", frozen.at("threshold")},
                      {"sensitivity", here.sensitivity},
                      {"specificity", here.specificity}});
  }
  return points;
}

nlohmann::json metrics_of(const Stage& stage, const EvaluateModel& model, const sharding::Corpus& corpus,
                          const evaluation::Predictions& predictions, const Leakage& leakage) {
  nlohmann::json metrics = evaluation::summarize(predictions, stage.config().evaluate.specificity);
  for (auto& entry : metrics.at("per_class"))
    entry["name"] = model.class_names[entry.at("label").get<std::size_t>()];
  const auto& trained = model.facts.at("result");
  for (const char* key : {"init", "mode", "label_fraction", "repeat", "train_groups", "train_images"})
    metrics[key] = trained.at(key);
  metrics.update({{"stage", "evaluate"},
                  {"name", name_of(stage.config(), corpus)},
                  {"class_names", model.class_names},
                  {"at_validation_thresholds", operating_points(model, predictions)},
                  {"groups_known", corpus.has_groups()},
                  {"leakage", leakage.any()},
                  {"leakage_groups", leakage.trained.groups},
                  {"transductive_groups", leakage.pretrained.groups},
                  {"pretrain_lineage", model.facts.at("lineage")},
                  {"checkpoint", model.dir}});
  metrics.update(identity_of(model, corpus));
  return metrics;
}

}  // namespace

int evaluate(Stage& stage) {
  const RunConfig& config = stage.config();
  require_run_dir(stage, "metrics.json and predictions.csv");
  const sharding::Corpus opened = open_corpus(stage);
  std::optional<sharding::Corpus> labelled;
  std::optional<checkpoint::RunLock> lock;  // rank 0
  EvaluateModel model;
  std::vector<std::int64_t> label_of;
  Leakage leakage;
  together(stage.comm, [&] {
    require_labels(opened, config.data);
    require_utf8_classes(opened);
    const auto samples = labelled_samples(opened);
    if (samples.empty()) throw DataError(cat(opened.place(0).file, ": no image that is left has a label"));
    labelled = opened.subset(samples);
    model = open_evaluate_model(stage.resolved, opened, residence_of(stage));
    label_of = label_map(model, *labelled);
    name_of(config, *labelled);
    leakage = find_leakage(model, *labelled, config.evaluate.allow_leakage);
    if (!stage.leads()) return;
    lock.emplace(config.run.dir);
    require_own_results(config.run.dir, identity_of(model, *labelled));
    write_resolved_config(stage);
    warn_of_missing_classes(model, *labelled, label_of);
  });
  require_shared_run_folder(stage);
  log(Level::kInfo, cat(model.dir, " on ", labelled->size(), " labelled images of ", num_groups(*labelled),
                        labelled->has_groups() ? " patients" : " (patients not known: no claim by patient)",
                        labelled->size() < opened.size()
                            ? cat("; ", opened.size() - labelled->size(), " without a label are left out")
                            : ""));
  const at::Tensor logits_NK = logits_of_images(stage, *model.network, *labelled, model.plain);

  together(stage.comm, [&] {
    if (!stage.leads()) return;
    const auto predictions = predictions_of(*labelled, logits_NK, label_of);
    const auto metrics = metrics_of(stage, model, *labelled, predictions, leakage);
    checkpoint::write_file_atomically(config.run.dir + "/predictions.csv", evaluation::to_csv(predictions));
    checkpoint::write_file_atomically(config.run.dir + "/metrics.json", metrics.dump(2) + "\n");
    std::cout << evaluate_table(metrics) << std::flush;
  });
  return 0;
}

}  // namespace entrain::worker
