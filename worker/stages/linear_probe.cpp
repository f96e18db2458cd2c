#include "worker/stages/linear_probe.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/lanes.hpp"
#include "configs/log.hpp"
#include "worker/losses/logistic_regression.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

std::vector<double> grid_of(const FinetuneSection& config) {
  if (config.l2.empty()) return {1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100};
  for (const double l2 : config.l2)
    if (!(l2 > 0)) throw ConfigError(cat("finetune.l2: want numbers above 0, got ", l2));
  return config.l2;
}

at::Tensor labels_of(const sharding::Corpus& corpus) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < corpus.size(); ++i) labels.push_back(corpus.label(i));
  return at::tensor(labels, at::kLong);
}

// One row of [weights, biases] for each l2, shared out over ranks and threads; NaN where it did not converge.
at::Tensor classifiers(Stage& stage, const at::Tensor& features_NF, const at::Tensor& labels_N,
                       std::int64_t num_classes, const std::vector<double>& grid) {
  const LaneBlock mine =
      lanes_of(stage.comm.rank(), stage.comm.size(), static_cast<std::int64_t>(grid.size()));
  const std::int64_t F = features_NF.size(1), width = num_classes * (F + 1);
  const at::Tensor rows = at::empty({mine.count, width}, at::kDouble);
  together(stage.comm, [&] {
    stage.host_threads.for_each(mine.count, [&](std::int64_t i) {
      try {
        const LinearClassifier c =
            logistic_regression(features_NF, labels_N, num_classes, grid[mine.first + i]);
        rows[i].copy_(at::cat({c.weight_KF.reshape(-1), c.bias_K}));
      } catch (const NumericError&) {
        rows[i].fill_(std::numeric_limits<double>::quiet_NaN());
      }
    });
  });
  return stage.comm.all_gather_rows(rows).all;
}

}  // namespace

void linear_probe(Stage& stage, FinetuneSetup& s, Selection& selection) {
  std::vector<double> grid;
  together(stage.comm, [&] { grid = grid_of(stage.config().finetune); });
  Encoder& encoder = s.network.encoder;
  encoder.standardise();
  const auto features_of = [&](const sharding::Corpus& corpus) {
    return rows_of_images(stage, corpus, s.plain, encoder.feature_width(),
                          [&](const at::Tensor& x_NCPP) { return encoder.features(x_NCPP); });
  };
  const at::Tensor train_NF = features_of(s.sets.train), val_NF = features_of(s.sets.val);

  const at::Tensor weight_KF = s.network.weight(), bias_K = s.network.bias();
  const at::Tensor rows = classifiers(stage, train_NF, labels_of(s.sets.train), bias_K.numel(), grid);
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const at::Tensor row = rows[static_cast<std::int64_t>(i)];
    if (!row.isfinite().all().item<bool>()) {
      selection.failed(grid[i], 0, "did not converge");
      continue;
    }
    weight_KF.copy_(row.narrow(0, 0, weight_KF.numel()).view_as(weight_KF));
    bias_K.copy_(row.narrow(0, weight_KF.numel(), bias_K.numel()));
    const Trial trial = selection.consider(grid[i], 0, at::addmm(bias_K.cpu(), val_NF, weight_KF.cpu().t()),
                                           s.network.parameters.flat());
    log(Level::kInfo, cat("l2 ", trial.knob, ": validation AUC ", trial.auc, ", loss ", trial.loss));
  }
}

}  // namespace entrain::worker
