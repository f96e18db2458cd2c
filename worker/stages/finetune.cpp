#include "worker/stages/finetune.hpp"

#include <ATen/ATen.h>

#include "checkpoint/atomic_file.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "evaluation/decisions.hpp"
#include "evaluation/summary.hpp"
#include "worker/stages/finetune_full.hpp"
#include "worker/stages/linear_probe.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

// The threshold that keeps each specificity on validation; frozen here for every later test set.
nlohmann::json thresholds_of(const evaluation::Predictions& p, const std::vector<double>& specificity) {
  nlohmann::json thresholds = nlohmann::json::array();
  if (p.classes > 2) return thresholds;
  const auto score = evaluation::one_against_rest(p, 1);
  const std::vector<std::uint8_t> positive(p.label.begin(), p.label.end());
  for (const double wanted : specificity)
    thresholds.push_back(
        {{"specificity", wanted}, {"threshold", evaluation::threshold_at(score, positive, wanted)}});
  return thresholds;
}

// metrics.json of a fine-tuning: what was learnt from, what chose, and everything it chose from.
nlohmann::json result_of(const Stage& stage, const FinetuneSetup& s, const Selection& selection) {
  const FinetuneSection& config = stage.config().finetune;
  const bool linear = config.mode == "linear";
  const auto predictions = predictions_of(s.sets.val, selection.best_logits());
  nlohmann::json validation = evaluation::summarize(predictions, stage.config().evaluate.specificity);
  validation["thresholds"] = thresholds_of(predictions, stage.config().evaluate.specificity);
  return {{"stage", "finetune"},
          {"init", s.start.kind},
          {"init_from", s.start.from},
          {"mode", config.mode},
          {"label_fraction", config.label_fraction},
          {"repeat", config.repeat},
          {"class_names", s.class_names()},
          {"train_groups", s.sets.train_groups},
          {"train_images", s.sets.train.size()},
          {"val_groups", s.sets.val_groups},
          {"val_images", s.sets.val.size()},
          {"chosen", {{linear ? "l2" : "lr", selection.best().knob}, {"step", selection.best().step}}},
          {"validation", validation},
          {"trials", selection.table(linear ? "l2" : "lr")}};
}

void write_metrics(Stage& stage, const nlohmann::json& result) {
  together(stage.comm, [&] {
    if (stage.leads())
      checkpoint::write_file_atomically(stage.config().run.dir + "/metrics.json", result.dump(2) + "\n");
  });
}

}  // namespace

int finetune(Stage& stage) {
  FinetuneSetup s(stage);
  if (s.finished) {
    write_metrics(stage, s.finished->manifest.at("result"));
    log(Level::kInfo, cat("done already: ", s.finished->dir, " holds this fine-tuning"));
    return 0;
  }
  const bool linear = stage.config().finetune.mode == "linear";
  Selection selection(s.sets.val, linear);
  if (linear)
    linear_probe(stage, s, selection);
  else
    finetune_full(stage, s, selection);
  if (selection.empty()) {
    NumericError error("no logistic regression of finetune.l2 converged; try larger values");
    error.set_on_all_ranks();
    throw error;
  }

  s.network.parameters.flat().copy_(selection.best_parameters());
  const nlohmann::json result = result_of(stage, s, selection);
  s.committer.commit(selection.best().step, s.tensors(), s.facts(stage, result));
  write_metrics(stage, result);
  log(Level::kInfo,
      cat("done: ", linear ? "l2 " : "lr ", selection.best().knob, linear ? "" : ", step ",
          linear ? "" : std::to_string(selection.best().step), " has the best validation AUC, ",
          selection.best().auc, "; ", stage.config().run.dir, "/metrics.json holds the others"));
  return 0;
}

}  // namespace entrain::worker
