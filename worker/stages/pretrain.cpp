#include "worker/stages/pretrain.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "sharding/loader.hpp"
#include "worker/collectives/lane_tree.hpp"
#include "worker/losses/nt_xent.hpp"
#include "worker/stages/lane_views.hpp"
#include "worker/stages/pretrain_setup.hpp"
#include "worker/stages/stop_signal.hpp"
#include "worker/stages/training_log.hpp"

namespace entrain::worker {
namespace {

// What all ranks agree to do after a step; the largest wish of any rank wins.
enum Wish : std::int64_t { kGoOn = 0, kCommit = 1, kStop = 2 };

at::Tensor features_of(const std::vector<Encoder::LaneGraph>& graphs) {
  std::vector<at::Tensor> lanes;
  for (const Encoder::LaneGraph& graph : graphs) lanes.push_back(graph.h_LF.detach());
  return at::cat(lanes);
}

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
void commit_or_warn(PretrainSetup& s) {
  try {
    s.committer.commit(s.step, s.tensors(), s.facts());
  } catch (const Error& e) {
    if (e.code() != ExitCode::kCheckpoint) throw;
    log(Level::kWarning, cat(e.what(), "; training goes on, the next commit tries again"));
  }
}

}  // namespace

int pretrain(Stage& stage) {
  Collectives& comm = stage.comm;
  LaneThreads& threads = stage.threads;
  const RunConfig& config = stage.config();

  PretrainSetup s(stage);  // corpus, plan, network, optimiser, schedule, newest checkpoint
  const LaneLayout& layout = s.layout;
  Encoder& encoder = s.network.encoder;
  ProjectionHead& head = s.network.head;
  LaneReducer reducer(layout, config.run.numerics == "fast");
  LaneViews views(config, s.corpus.shape(), layout);
  sharding::Loader loader(s.corpus, s.plan, s.slots, config.batch.lane_images, s.step, s.total_steps,
                          config.data.prefetch);
  TrainingLog train_log(stage, s.step, s.total_steps, 2 * layout.global_batch());

  sharding::ImageBatch images;
  std::vector<Encoder::LaneGraph> graphs(layout.mine.count);
  std::vector<at::Tensor> lane_gradients(layout.mine.count);
  const auto lane_rows = [&](const at::Tensor& rows, std::int64_t i) {
    return rows.narrow(0, i * layout.lane_rows(), layout.lane_rows());
  };

  while (s.step < s.total_steps) {
    train_log.begin_step(s.step);
    images = loader.next(std::move(images));  // this rank's lanes, host bytes

    encoder.standardise();
    threads.for_each(layout.mine.count,
                     [&](std::int64_t i) { graphs[i] = encoder.forward_lane(views.make(images, i)); });
    const at::Tensor h_RF = features_of(graphs);
    const at::Tensor z_RD = head.forward(h_RF, layout, comm, threads);  // BatchNorm over all ranks' rows
    const LossAndGradient loss = nt_xent(z_RD, config.method.temperature, layout, comm, threads);

    const at::Tensor dh_RF = head.backward(loss.dz_RD, layout, comm, threads, [&](std::int64_t lane) {
      at::Tensor& gradient = lane_gradients[lane - layout.mine.first];
      gradient = reducer.spare();
      if (!gradient.defined()) gradient = at::empty_like(s.network.parameters.flat());
      return gradient;
    });
    threads.for_each(layout.mine.count, [&](std::int64_t i) {
      encoder.backward_lane(std::move(graphs[i]), lane_rows(dh_RF, i), lane_gradients[i]);
      reducer.push(layout.mine.first + i, std::move(lane_gradients[i]));
    });
    const at::Tensor gradient_P = reducer.sum_over_lanes(comm);  // SUM: dz already carries 1/(2G)
    encoder.finish_gradient_(gradient_P);

    const double gradient_norm = at::linalg_vector_norm(gradient_P).item<double>();
    require_finite(loss.loss, gradient_norm, s.step);  // the same on all ranks, before weights can be spoiled
    const double lr = s.schedule.value(s.step);
    s.optimizer->step(gradient_P, lr, threads);
    ++s.step;  // from here on s describes finished work

    const bool stop_here = stop_signal() != 0;
    const auto wish = comm.all_reduce_max(stop_here ? kStop : s.committer.due(s.step) ? kCommit : kGoOn);
    train_log.end_step(
        {s.step, loss.loss, loss.contrastive_accuracy, lr, gradient_norm, loader.waited_seconds()});
    const bool last = s.step == s.total_steps;
    if (wish == kCommit && !last) commit_or_warn(s);
    if (wish == kStop || last) s.committer.commit(s.step, s.tensors(), s.facts());
    if (wish == kStop && !last) {
      train_log.stopped(stop_here ? signal_name(stop_signal()) : "a signal on another rank");
      return static_cast<int>(ExitCode::kRequeue);
    }
  }
  train_log.finished();
  return 0;
}

}  // namespace entrain::worker
