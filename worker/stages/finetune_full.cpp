#include "worker/stages/finetune_full.hpp"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include "checkpoint/jsonl.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/progress.hpp"
#include "coordinator/control/progress.hpp"
#include "schedulers/schedule.hpp"
#include "worker/optim/optimizer.hpp"
#include "worker/stages/lane_batches.hpp"
#include "worker/stages/linear_probe.hpp"
#include "worker/stages/shared_corpus.hpp"
#include "worker/stages/supervised_step.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

// The global batch for n images: no larger than n, so that a batch holds different images. With fewer images than
// lanes each image stands in the list several times, so that no lane (and no rank) is ever without one.
struct SmallBatch {
  std::int64_t lane_images = 1, copies = 1;
};
SmallBatch batch_for(std::int64_t num_images, const BatchSection& batch) {
  return {std::max<std::int64_t>(1, std::min(batch.lane_images, num_images / batch.lanes)),
          (batch.lanes + num_images - 1) / num_images};
}

sharding::Corpus repeated(const sharding::Corpus& corpus, std::int64_t copies) {
  std::vector<std::int64_t> samples;
  for (std::int64_t copy = 0; copy < copies; ++copy)
    for (std::int64_t i = 0; i < corpus.size(); ++i) samples.push_back(i);
  return copies == 1 ? corpus : corpus.subset(samples);
}

// All that the training runs of a grid have in common.
struct Training {
  Training(Stage& a_stage, FinetuneSetup& setup, Selection& a_selection, const sharding::OrderChoice& order)
      : stage(a_stage),
        s(setup),
        selection(a_selection),
        batch(batch_for(s.sets.train.size(), stage.config().batch)),
        images(repeated(s.sets.train, batch.copies)),
        layout{stage.config().batch.lanes, batch.lane_images, 1,
               lanes_of(stage.comm.rank(), stage.comm.size(), stage.config().batch.lanes)},
        plan({.num_samples = images.size(),
              .global_batch = layout.global_batch(),
              .seed = s.order_seed,
              .slabs = sharding::slab_settings(images, order, layout.images)}),
        total_steps(schedulers::total_steps(stage.config().train, stage.config().schedule, images.size(),
                                            layout.global_batch())),
        start_P(s.network.parameters.flat().clone()) {}

  Stage& stage;
  FinetuneSetup& s;
  Selection& selection;
  SmallBatch batch;
  sharding::Corpus images;
  LaneLayout layout;
  sharding::SamplePlan plan;
  std::int64_t total_steps;
  at::Tensor start_P;
  std::optional<checkpoint::JsonLines> metrics;  // rank 0
  std::optional<Progress> progress;
  std::int64_t steps_before = 0;  // of earlier learning rates
};

at::Tensor labels_of_lane(const Training& t, const ViewBatch& batch, std::int64_t i) {
  std::vector<std::int64_t> labels;
  for (std::int64_t k = i * t.layout.images; k < (i + 1) * t.layout.images; ++k)
    labels.push_back(t.images.label(batch.slots[k].sample));
  return at::tensor(labels, at::kLong);
}

// One learning rate, from the start to the end. Returns why it came to nothing, empty: it did not.
std::string train(Training& t, double lr) {
  const RunConfig& config = t.stage.config();
  t.s.network.parameters.flat().copy_(t.start_P);
  std::unique_ptr<Optimizer> optimizer;
  std::optional<schedulers::Schedule> made;
  together(t.stage.comm, [&] {
    optimizer = make_optimizer(config.optim, t.s.network.parameters);
    made.emplace(config.schedule, lr, t.layout.global_batch(), t.images.size(), t.total_steps);
  });
  const schedulers::Schedule& schedule = *made;
  const std::int64_t every =
      config.finetune.eval_every > 0 ? config.finetune.eval_every : (t.total_steps + 9) / 10;
  SupervisedStep supervised(t.s.network.parameters, t.s.network.encoder, t.layout);
  LaneBatches lanes(t.stage, t.images, t.plan, t.layout, t.s.order_seed,
                    {t.s.plain.window_low, t.s.plain.window_high}, 0, t.total_steps);

  for (std::int64_t step = 1; step <= t.total_steps; ++step) {
    const auto began = std::chrono::steady_clock::now();
    set_log_step(step);
    together(t.stage.comm, [&] { lanes.next(); });
    const SupervisedResult result = supervised.gradient(
        [&](std::int64_t i) { return lanes.take(i); },
        [&](std::int64_t i) { return labels_of_lane(t, lanes.batch(), i); }, t.stage.comm, t.stage.threads);
    const double gradient_norm = at::linalg_vector_norm(result.gradient_P).item<double>();
    if (!std::isfinite(result.loss) || !std::isfinite(gradient_norm))
      return cat("step ", step, ": loss is ", result.loss, " and the norm of the gradient ", gradient_norm);
    optimizer->step(result.gradient_P, schedule.value(step - 1), t.stage.threads);

    nlohmann::json line{{"step", t.steps_before + step}, {"lr", schedule.value(step - 1)},
                        {"loss", result.loss},           {"accuracy", result.accuracy},
                        {"grad_norm", gradient_norm},    {"base_lr", lr}};
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    line.update(
        {{"step_s", seconds}, {"views_per_s", static_cast<double>(t.layout.global_batch()) / seconds}});
    control::progress().finished_step(t.steps_before + step, seconds);
    if (step % every == 0 || step == t.total_steps) {
      const at::Tensor logits_NK = logits_of_images(t.stage, t.s.network, t.s.sets.val, t.s.plain);
      if (!logits_NK.isfinite().all().item<bool>())
        return cat("step ", step, ": a validation score is not finite");
      const Trial trial = t.selection.consider(lr, step, logits_NK, t.s.network.parameters.flat());
      line.update({{"val_auc", trial.auc}, {"val_loss", trial.loss}});
    }
    if (t.metrics) t.metrics->append(line);
    if (t.progress) t.progress->update(t.steps_before + step, result.loss, t.layout.global_batch());
    leave_if_stopped(t.stage);
  }
  return "";
}

// The classifier begins as the linear probe of the encoder it stands on: from zero or at random, its first gradients
// would pull the pretrained features apart (Kumar et al. 2022, arXiv:2202.10054). The same for an encoder from scratch.
void begin_at_probe(Training& t) {
  Selection probe(t.s.sets.val, true);
  linear_probe(t.stage, t.s, probe);
  if (!probe.empty()) t.start_P.copy_(probe.best_parameters());
}

}  // namespace

void finetune_full(Stage& stage, FinetuneSetup& s, Selection& selection) {
  const RunConfig& config = stage.config();
  const sharding::OrderChoice order = agreed_order(stage, [&] {
    const SmallBatch batch = batch_for(s.sets.train.size(), config.batch);
    return sharding::choose_order(repeated(s.sets.train, batch.copies), config.data.order, "allow",
                                  config.batch.lanes * batch.lane_images);
  });
  std::optional<Training> made;
  bool has_classifier = false;
  together(stage.comm, [&] {
    has_classifier = load_start_classifier(s.start, s.class_names(), s.network);
    if (has_classifier) log(Level::kInfo, "goes on with the classifier of the earlier fine-tuning");
    require_a_lane_for_every_rank(stage);
    made.emplace(stage, s, selection, order);
    if (made->total_steps < 1)
      throw ConfigError("neither train.steps nor train.epochs is set: how long shall it train?");
  });
  Training& t = *made;
  if (!has_classifier) begin_at_probe(t);
  if (t.batch.lane_images != config.batch.lane_images || t.batch.copies > 1)
    log(Level::kInfo, cat("only ", s.sets.train.size(), " training images: batches of ",
                          t.layout.global_batch(), " = ", t.layout.lanes, " lanes x ", t.batch.lane_images,
                          " instead of ", config.batch.lanes * config.batch.lane_images,
                          t.batch.copies > 1 ? ", an image may stand in one twice" : ""));
  const std::vector<double> grid =
      config.finetune.lr.empty() ? std::vector<double>{config.optim.lr} : config.finetune.lr;
  together(stage.comm, [&] {
    if (!stage.leads()) return;
    t.metrics.emplace(config.run.dir + "/metrics.jsonl", -1);
    t.progress.emplace(0, t.total_steps * static_cast<std::int64_t>(grid.size()));
  });
  std::string failures;
  std::size_t num_failed = 0;
  control::progress().begin_steps(0, t.total_steps * static_cast<std::int64_t>(grid.size()));
  for (const double lr : grid) {
    const std::string failure = train(t, lr);
    t.steps_before += t.total_steps;
    if (failure.empty()) continue;
    ++num_failed;
    selection.failed(lr, 0, failure);
    failures += cat(failures.empty() ? "" : "; ", "lr ", lr, ": ", failure);
    if (grid.size() > 1) log(Level::kWarning, cat("lr ", lr, " diverged: ", failure));
  }
  if (t.progress) t.progress->finish();
  set_log_step(-1);
  if (num_failed < grid.size()) return;
  NumericError error(cat(failures, "; nothing was committed. Lower finetune.lr (or optim.lr)"));
  error.set_on_all_ranks();
  throw error;
}

}  // namespace entrain::worker
