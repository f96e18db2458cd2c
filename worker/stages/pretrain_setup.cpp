#include "worker/stages/pretrain_setup.hpp"

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "sharding/batch_classes.hpp"
#include "worker/stages/lineage.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/shared_corpus.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

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

// Which samples must not meet in one batch. Every rank reads its part of the images to find those that are equal.
std::vector<std::uint32_t> classes_of(Stage& stage, const sharding::Corpus& corpus) {
  if (stage.config().batch.same_group == "allow") return {};
  const auto mine = lanes_of(stage.comm.rank(), stage.comm.size(), corpus.size());
  auto hashes =
      found_together(stage.comm, [&] { return sharding::content_hashes(corpus, mine.first, mine.count); });
  const at::Tensor all =
      stage.comm.all_gather_rows(at::from_blob(hashes.data(), {mine.count}, at::kLong)).all;
  const auto* first = reinterpret_cast<const std::uint64_t*>(all.const_data_ptr<std::int64_t>());
  return sharding::batch_classes(corpus, {first, static_cast<std::size_t>(all.numel())});
}

// A run keeps the order it began with, whatever its files have become.
sharding::OrderChoice order_of(Stage& stage, const PretrainSetup& s) {
  const RunConfig& config = stage.config();
  return agreed_order(stage, [&] {
    return s.resumes.from ? sharding::order_of_plan(s.resumes.from->manifest.at("plan"))
                          : sharding::choose_order(s.corpus, config.data.order, config.batch.same_group,
                                                   s.layout.global_batch());
  });
}

// The plan of a checkpoint goes on; where other patients are left out than then, a new one begins behind it, in an
// epoch of its own.
sharding::SamplePlan plan_of(Stage& stage, const PretrainSetup& s) {
  sharding::PlanSettings settings{.num_samples = s.corpus.size(),
                                  .global_batch = s.layout.global_batch(),
                                  .seed = stage.config().run.seed};
  if (stage.config().batch.same_group == "forbid") settings.classes = s.classes;
  if (s.resumes.from) {
    const auto& manifest = s.resumes.from->manifest;
    const auto& was = manifest.at("plan");
    settings.first_step = s.new_plan ? s.resumes.from->step : was.at("first_step").get<std::int64_t>();
    settings.first_epoch =
        s.new_plan ? manifest.at("epoch").get<std::int64_t>() + 1 : was.at("first_epoch").get<std::int64_t>();
  }
  return found_together(stage.comm, [&] {
    settings.slabs = sharding::slab_settings(s.corpus, s.order, stage.config().batch.lane_images);
    return sharding::SamplePlan(std::move(settings));
  });
}

nlohmann::json plan_facts(const Stage& stage, const PretrainSetup& s) {
  const auto excluded = s.corpus.excluded();
  nlohmann::json facts{{"digest", s.plan.digest()},
                       {"num_samples", s.plan.num_samples()},
                       {"global_batch", s.plan.global_batch()},
                       {"seed", stage.config().run.seed},
                       {"same_group", stage.config().batch.same_group},
                       {"classes_digest", s.plan.classes_digest()},
                       {"first_step", s.plan.first_step()},
                       {"first_epoch", s.plan.first_epoch()},
                       {"excluded", {{"sha256", excluded.sha256}, {"images", excluded.images}}}};
  if (nlohmann::json slabs = sharding::order_facts(s.order); !slabs.is_null()) {
    slabs["lane_images"] = stage.config().batch.lane_images;
    slabs["digest"] = s.plan.slabs_digest();
    facts["slabs"] = slabs;
  }
  return facts;
}

std::vector<std::string> hex_of(const std::vector<std::uint64_t>& hashes) {
  std::vector<std::string> texts;
  char text[17];
  for (const std::uint64_t hash : hashes) {
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    texts.emplace_back(text);
  }
  return texts;
}

// A run keeps the length and the schedule it began with, also where patients are left out later.
std::int64_t kept(const checkpoint::ResumePoint& resumes, const char* fact, std::int64_t otherwise) {
  return resumes.from ? resumes.from->manifest.value(fact, otherwise) : otherwise;
}

// From here on the folder is this run's: how it ends is said there.
checkpoint::ResumePoint resume_of(Stage& stage, Committer& committer) {
  stage.owns_run_folder = true;
  return committer.resume();
}

Ancestry ancestry_of(Stage& stage, const checkpoint::ResumePoint& resumes) {
  if (resumes.from) return {resumes.from->manifest.value("began_from", nlohmann::json::object()), {}};
  return found_together(stage.comm, [&] { return read_ancestry(stage.config().init.from); });
}

// Leaving a patient out now does not take him out of weights that had seen him.
void tell_ancestors_that_were_left_out(const Ancestry& ancestry, const sharding::Corpus& corpus) {
  if (!ancestry.groups.defined()) return;
  const auto* first = ancestry.groups.const_data_ptr<std::int64_t>();
  const auto seen = std::count_if(
      corpus.excluded().groups.begin(), corpus.excluded().groups.end(), [&](std::uint64_t hash) {
        return std::binary_search(first, first + ancestry.groups.numel(), static_cast<std::int64_t>(hash));
      });
  if (seen > 0)
    log(Level::kWarning, cat("init.from: these weights have seen ", seen,
                             " of the groups of data.exclude_groups; leaving them "
                             "out of this run does not undo that"));
}

// Consent that was withdrawn stays so until somebody says otherwise: a key that was forgotten is not that.
void require_exclusion_was_not_forgotten(const nlohmann::json& was, const std::string& dir,
                                         const std::string& exclude_groups) {
  const auto left_out = was.at("plan").at("excluded").value("images", std::int64_t{0});
  if (left_out == 0 || !exclude_groups.empty()) return;
  throw CheckpointError(cat(
      dir, ": was trained without ", left_out,
      " images of patients that data.exclude_groups named, and now the key is not set: they would come "
      "back. Set data.exclude_groups again (a list that names fewer brings the others back, and says so)"));
}

std::int64_t length_of(Stage& stage, std::int64_t num_samples, std::int64_t global_batch) {
  const RunConfig& config = stage.config();
  return found_together(stage.comm, [&] {
    const std::int64_t steps =
        schedulers::total_steps(config.train, config.schedule, num_samples, global_batch);
    if (steps < 1) throw ConfigError("neither train.steps nor train.epochs is set: how long shall it train?");
    return steps;
  });
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
      window(found_together(stage.comm, [&] { return sharding::value_window(stage.config().data, corpus); })),
      slots(own_lanes(stage)),
      layout(layout_for(stage, slots)),
      classes(classes_of(stage, corpus)),
      network(stage.config().model, corpus.shape().channels, stage.config().run.seed, residence_of(stage)),
      optimizer(found_together(stage.comm,
                               [&] { return make_optimizer(stage.config().optim, network.parameters); })),
      committer(require_run_dir(stage, "checkpoints and metrics"), stage.config().checkpoint, stage.comm,
                /*with_ledger=*/true),
      resumes(resume_of(stage, committer)),
      begins_at_random(stage.config().init.from == "scratch"),
      new_plan(resumes.from &&
               resumes.from->manifest.at("plan").at("excluded").at("sha256") != corpus.excluded().sha256),
      order(order_of(stage, *this)),
      plan(plan_of(stage, *this)),
      schedule_images(kept(resumes, "schedule_images", corpus.size())),
      total_steps(length_of(stage, schedule_images, layout.global_batch())),
      schedule(found_together(stage.comm,
                              [&] {
                                return schedulers::Schedule(stage.config().schedule, stage.config().optim.lr,
                                                            layout.global_batch(), schedule_images,
                                                            total_steps);
                              })),
      ancestry_(ancestry_of(stage, resumes)),
      groups_(united(group_hashes(corpus), ancestry_.groups)),
      config_values_(stage.resolved.values),
      versions_(versions_of(stage)),
      plan_(plan_facts(stage, *this)) {
  require_shared_run_folder(stage);
  if (stage.leads())
    for (const std::string& what : resumes.said) log(Level::kWarning, what);
  together(stage.comm, [&] {
    if (resumes.from) check_same_run(stage);
    if (!begins_at_random && !resumes.from) load_encoder(network.parameters, stage.config().init.from);
    if (stage.leads()) tell_ancestors_that_were_left_out(ancestry_, corpus);
    if (stage.leads())
      for (const std::string& what :
           sharding::order_warnings(corpus, order, stage.config().data, stage.config().batch.same_group))
        log(Level::kWarning, what);
    write_resolved_config(stage);
  });
  committer.start(start_facts(stage));
  log(Level::kInfo,
      cat(corpus.size(), " images, ", stage.config().model.name, " with ", network.parameters.numel(),
          " parameters; global batch ", layout.global_batch(), " = ", stage.config().batch.lanes, " lanes x ",
          stage.config().batch.lane_images, " images on ", stage.comm.size(), " ranks x ",
          stage.threads.size(), " threads, ", 2 * layout.global_batch() - 2, " negatives per view; steps ",
          committer.committed(), " to ", total_steps));
}

void PretrainSetup::check_same_run(const Stage& stage) const {
  const auto& was = resumes.from->manifest;
  if (was.at("corpus_digest") != corpus.digest())
    throw CheckpointError(cat(resumes.from->dir, ": corpus digest ", std::string(was.at("corpus_digest")),
                              " but the configuration names a corpus of digest ", corpus.digest(),
                              "; resume with the corpus the run began with, or set run.dir anew"));
  require_exclusion_was_not_forgotten(was, resumes.from->dir, stage.config().data.exclude_groups);
  const auto saved = was.at("config").get<std::map<std::string, std::string>>();
  if (const std::string what = describe_differences(saved, stage.resolved.values); !what.empty())
    throw CheckpointError(
        cat(resumes.from->dir, ": ", what,
            "; a resume cannot change what the run computes. Set it back, or set run.dir anew "
            "(init.from takes these weights along)"));
}

// Who was seen stays seen, also where the corpus no longer has them.
void PretrainSetup::load(const std::optional<checkpoint::Found>& from) {
  step = from ? from->step : 0;
  if (!from) return;
  const checkpoint::CheckpointReader reader(from->dir);
  load_tensors(reader, trained());
  groups_ = united(read_groups(reader, kPretrainGroups), groups_);
  ancestry_.groups = read_groups(reader, kAncestorGroups);
}

void PretrainSetup::begin(Stage& stage) {
  together(stage.comm, [&] { load(resumes.from); });
  if (!resumes.from) return;
  log(Level::kInfo, cat("resumes from ", resumes.from->dir, ", the newest whole checkpoint (written by ",
                        resumes.from->manifest.value("world", 0), " ranks)"));
  if (const auto was = resumes.from->manifest.value("versions", versions_); was != versions_ && stage.leads())
    log(Level::kWarning, cat("it was written with ", was.dump(), ", this is ", versions_.dump(),
                             ": the same bits are not promised from one to the other"));
  if (new_plan && stage.leads())
    log(Level::kWarning,
        cat("other patients are left out from step ", step + 1, " on (", corpus.excluded().images,
            " images of data.exclude_groups, before ",
            resumes.from->manifest.at("plan").at("excluded").value("images", std::int64_t{0}),
            "); a new epoch begins with ", corpus.size(), " images"));
}

std::vector<NamedTensor> PretrainSetup::trained() const {
  std::vector<NamedTensor> all = network.parameters.all();
  for (const auto& more : {network.buffers.all(), optimizer->state()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<NamedTensor> PretrainSetup::tensors() const {
  std::vector<NamedTensor> all = trained();
  all.push_back({kPretrainGroups, groups_});
  if (ancestry_.groups.defined()) all.push_back({kAncestorGroups, ancestry_.groups});
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
          {"plan", plan_},
          {"began_from", ancestry_.facts},
          {"epoch", step > plan.first_step() ? plan.epoch_of(step - 1) : plan.first_epoch()},
          {"schedule_images", schedule_images},
          {"total_steps", total_steps},
          {"config", config_values_},
          {"versions", versions_}};
}

// Who is left out is told by hashes: a ledger that travels must not name patients.
nlohmann::json PretrainSetup::start_facts(const Stage& stage) const {
  nlohmann::json plan_here = plan_;
  plan_here["excluded"]["groups"] = hex_of(corpus.excluded().groups);
  return {{"stage", "pretrain"},
          {"world", stage.comm.size()},
          {"lanes", stage.config().batch.lanes},
          {"lane_images", stage.config().batch.lane_images},
          {"host", host_name()},
          {"pid", ::getpid()},
          {"total_steps", total_steps},
          {"numerics", stage.config().run.numerics},
          {"corpus_digest", corpus.digest()},
          {"data_files", stage.config().data.files},
          {"plan", plan_here},
          {"began_from", ancestry_.facts},
          {"versions", versions_}};
}

}  // namespace entrain::worker
