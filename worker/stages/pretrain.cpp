#include "worker/stages/pretrain.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "sharding/loader.hpp"
#include "worker/stages/contrastive_step.hpp"
#include "worker/stages/lane_views.hpp"
#include "worker/stages/pretrain_setup.hpp"
#include "worker/stages/stop_signal.hpp"
#include "worker/stages/together.hpp"
#include "worker/stages/training_log.hpp"

namespace entrain::worker {
namespace {

// What all ranks agree to do after a step; the largest wish of any rank wins.
enum Wish : std::int64_t { kGoOn = 0, kCommit = 1, kStop = 2 };

// Loss and gradient are equal on all ranks, so all of them come to the same conclusion here.
void require_finite(double loss, double gradient_norm, std::int64_t step) {
  if (std::isfinite(loss) && std::isfinite(gradient_norm)) return;
  NumericError error(
      cat("step ", step + 1, ": loss is ", loss, " and the norm of the gradient ", gradient_norm,
          "; no weight was changed by this step. Lower optim.lr or raise method.temperature, then start "
          "again: the newest checkpoint is from before"));
  error.set_on_all_ranks();
  throw error;
}

// A commit that fails between two others costs nothing yet: say so and train on; the last one must succeed.
void commit_or_warn(PretrainSetup& s, bool leads) {
  try {
    s.committer.commit(s.step, s.tensors(), s.facts());
  } catch (const Error& e) {
    if (e.code() != ExitCode::kCheckpoint) throw;
    if (leads) log(Level::kWarning, cat(e.what(), "; training goes on, the next commit tries again"));
  }
}

}  // namespace

int pretrain(Stage& stage) {
  const RunConfig& config = stage.config();
  PretrainSetup s(stage);  // corpus, plan, network, optimiser, schedule; restored from the newest checkpoint
  const bool fast = config.run.numerics == "fast";
  ContrastiveStep step(s.network.parameters, s.network.encoder, s.network.head, s.layout,
                       config.method.temperature, fast);
  LaneViews views(config.views, config.run.seed, s.window, s.corpus.shape(), s.layout);
  sharding::Loader loader(s.corpus, s.plan, s.slots, config.batch.lane_images, s.step, s.total_steps,
                          config.data.prefetch);
  TrainingLog training(stage, s.step, s.total_steps, 2 * s.layout.global_batch());
  sharding::ImageBatch images;

  while (s.step < s.total_steps) {
    training.begin_step(s.step);
    together(stage.comm, [&] { images = loader.next(std::move(images)); });  // this rank's lanes, host bytes
    const StepResult result =  // views, encoder, head, loss over all ranks, and the gradient back
        step.gradient([&](std::int64_t lane) { return views.make(images, lane); }, stage.comm, stage.threads);
    const double gradient_norm = at::linalg_vector_norm(result.gradient_P).item<double>();
    require_finite(result.loss, gradient_norm,
                   s.step);  // equal on all ranks, and before weights can be spoiled

    const double lr = s.schedule.value(s.step);
    s.optimizer->step(result.gradient_P, lr, stage.threads);
    ++s.step;  // from here on s describes finished work

    const bool stop_here = stop_signal() != 0, last = s.step == s.total_steps;
    const auto wish = stage.comm.all_reduce_max(stop_here                 ? kStop
                                                : s.committer.due(s.step) ? kCommit
                                                                          : kGoOn);
    training.end_step(
        {s.step, result.loss, result.contrastive_accuracy, lr, gradient_norm, loader.waited_seconds()});
    if (wish == kStop || last) {
      s.committer.commit(s.step, s.tensors(), s.facts());
    } else if (wish == kCommit) {
      commit_or_warn(s, stage.leads());
    }
    if (wish == kStop && !last) {
      training.stopped(stop_here ? signal_name(stop_signal()) : "a signal on another rank");
      return static_cast<int>(ExitCode::kRequeue);
    }
  }
  training.finished();
  return 0;
}

}  // namespace entrain::worker
