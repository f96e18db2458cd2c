#include "worker/stages/pretrain_step.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {
namespace {

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

// Rows are ordered (lane, view, image): the classes of a lane's images, once per view.
at::Tensor classes_of_rows(const PretrainSetup& s, const ViewBatch& batch, std::int64_t images) {
  const at::Tensor classes_R = at::empty({2 * static_cast<std::int64_t>(batch.slots.size())}, at::kLong);
  auto* row = classes_R.mutable_data_ptr<std::int64_t>();
  for (std::size_t lane = 0; lane < batch.slots.size(); lane += static_cast<std::size_t>(images))
    for (int view = 0; view < 2; ++view)
      for (std::int64_t i = 0; i < images; ++i) *row++ = s.classes[batch.slots[lane + i].sample];
  return classes_R;
}

}  // namespace

PretrainStep::PretrainStep(PretrainSetup& setup, Stage& stage)
    : s_(setup),
      stage_(stage),
      masks_(stage.config().batch.same_group == "mask"),
      step_(setup.network.parameters, setup.network.encoder, setup.network.head, setup.layout,
            stage.config().method.temperature, stage.config().run.numerics == "fast") {}

StepDone PretrainStep::run(LaneBatches& lanes) {
  at::Tensor classes_R;
  if (masks_) classes_R = classes_of_rows(s_, lanes.batch(), s_.layout.images).to(stage_.device.tensors());
  const StepResult result =  // encoder, head, loss over all ranks, and the gradient back
      step_.gradient([&](std::int64_t lane) { return lanes.take(lane); }, stage_.comm, stage_.threads,
                     classes_R);
  const double gradient_norm = at::linalg_vector_norm(result.gradient_P).item<double>();
  require_finite(result.loss, gradient_norm, s_.step);
  const double lr = s_.schedule.value(s_.step);
  s_.optimizer->step(result.gradient_P, lr, stage_.threads);
  ++s_.step;  // from here on the setup describes finished work
  return {result.loss, result.contrastive_accuracy, lr, gradient_norm};
}

}  // namespace entrain::worker
