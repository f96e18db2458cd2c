#include "worker/stages/pretrain_setup.hpp"

#include <ATen/ATen.h>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/shared_corpus.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

ValueWindow window_of(Stage& stage, const sharding::Corpus& corpus) {
  ValueWindow window;
  together(stage.comm, [&] { window = value_window(stage.config().data, corpus); });
  return window;
}

LaneBlock own_lanes(Stage& stage) {
  const std::int64_t lanes = stage.config().batch.lanes, world = stage.comm.size();
  together(stage.comm, [&] {
    require_a_lane_for_every_rank(stage);
    if (stage.config().run.numerics == "fast" && lanes % world != 0)
      throw LaunchError(
          cat("numerics: fast needs equal shares: ", lanes, " lanes do not divide by ", world, " ranks"));
  });
  return lanes_of(stage.comm.rank(), world, lanes);
}

std::int64_t length_of(Stage& stage, std::int64_t num_samples, std::int64_t global_batch) {
  const RunConfig& config = stage.config();
  const std::int64_t steps =
      schedulers::total_steps(config.train, config.schedule, num_samples, global_batch);
  together(stage.comm, [&] {
    if (config.run.dir.empty())
      throw ConfigError("run.dir is not set: where shall checkpoints and metrics go?");
    if (steps < 1) throw ConfigError("neither train.steps nor train.epochs is set: how long shall it train?");
  });
  return steps;
}

LaneLayout layout_for(Stage& stage, LaneBlock slots) {
  const BatchSection& batch = stage.config().batch;
  if (stage.config().run.numerics == "fast")
    return {stage.comm.size(), slots.count * batch.lane_images, 2, {stage.comm.rank(), 1}};
  return {batch.lanes, batch.lane_images, 2, slots};
}

}  // namespace

PretrainSetup::PretrainSetup(Stage& stage)
    : corpus(open_corpus(stage)),
      window(window_of(stage, corpus)),
      slots(own_lanes(stage)),
      layout(layout_for(stage, slots)),
      plan(corpus.size(), layout.global_batch(), stage.config().run.seed),
      total_steps(length_of(stage, corpus.size(), layout.global_batch())),
      schedule(stage.config().schedule, stage.config().optim.lr, layout.global_batch(), corpus.size(),
               total_steps),
      network(stage.config().model, corpus.shape().channels, stage.config().run.seed),
      optimizer(make_optimizer(stage.config().optim, network.parameters)),
      committer(stage.config().run.dir, stage.config().checkpoint, stage.comm),
      groups_(group_hashes(corpus)),
      config_values_(stage.resolved.values) {
  restore(stage);
  together(stage.comm, [&] { write_resolved_config(stage); });
  log(Level::kInfo,
      cat(corpus.size(), " images, ", stage.config().model.name, " with ", network.parameters.numel(),
          " parameters; global batch ", layout.global_batch(), " = ", stage.config().batch.lanes, " lanes x ",
          stage.config().batch.lane_images, " images on ", stage.comm.size(), " ranks x ",
          stage.threads.size(), " threads, ", 2 * layout.global_batch() - 2, " negatives per view; steps ",
          step, " to ", total_steps));
}

void PretrainSetup::restore(const Stage& stage) {
  const auto found = committer.newest();
  together(stage.comm, [&] {
    if (!found) {
      if (stage.config().init.from != "scratch") load_encoder(network.parameters, stage.config().init.from);
      return;
    }
    const auto& was = found->manifest;
    if (was.at("corpus_digest") != corpus.digest())
      throw CheckpointError(cat(found->dir, ": corpus digest ", std::string(was.at("corpus_digest")),
                                " but the configuration names a corpus of digest ", corpus.digest(),
                                "; resume with the corpus the run began with, or set run.dir anew"));
    const auto saved = was.at("config").get<std::map<std::string, std::string>>();
    if (const auto keys = differing_keys(saved, stage.resolved.values); !keys.empty())
      throw CheckpointError(
          cat(found->dir, ": was written with ", keys[0],
              "; a resume cannot change what the run computes. Set it back, or set run.dir anew"));
    load_tensors(checkpoint::CheckpointReader(found->dir), tensors());
    step = found->step;
  });
  if (found && stage.leads()) {
    for (const std::string& reason : found->passed_over) log(Level::kWarning, cat("passed over ", reason));
    log(Level::kInfo, cat("resumes from ", found->dir, ", the newest whole checkpoint (written by ",
                          found->manifest.value("world", 0), " ranks)"));
  }
}

std::vector<NamedTensor> PretrainSetup::tensors() const {
  std::vector<NamedTensor> all = network.parameters.all();
  for (const auto& more : {network.buffers.all(), optimizer->state()})
    all.insert(all.end(), more.begin(), more.end());
  all.push_back({"lineage.pretrain_groups", groups_});
  return all;
}

nlohmann::json PretrainSetup::facts() const {
  return {{"stage", "pretrain"},
          {"corpus_digest", corpus.digest()},
          {"images", corpus.size()},
          {"image_height", corpus.shape().height},
          {"image_width", corpus.shape().width},
          {"window_low", window.low},
          {"window_high", window.high},
          {"in_channels", network.arch.in_channels},
          {"feature_width", network.arch.feature_width()},
          {"plan_digest", plan.digest()},
          {"total_steps", total_steps},
          {"config", config_values_},
          {"versions", library_versions()}};
}

}  // namespace entrain::worker
