#include "coordinator/plan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/lanes.hpp"
#include "configs/model_shapes.hpp"
#include "coordinator/network_cost.hpp"
#include "schedulers/schedule.hpp"

namespace entrain::coordinator {
namespace {

constexpr std::int64_t kFloat = 4;
// Peak memory of entrain-worker on two cores, with commits in the background, against this count: r14x0.5 at 64 px with
// 64, 256 and 512 views a step 390, 586 and 942 MiB (here 373, 593, 888), r50x1 with 64 views 1606 MiB (1760).
constexpr std::int64_t kProgramBytes = 170 << 20;  // LibTorch, MPI, HDF5 and their heaps
// Of ledger.jsonl: a step's loss and digest of samples; a commit; a tensor's digest in the witness of a commit.
constexpr std::int64_t kLedgerStep = 56, kLedgerCommit = 700, kLedgerTensor = 84;
constexpr double kTemporaries = 0.2;  // of the activations: what the lanes at work need for a moment

std::int64_t count(const std::vector<TensorSpec>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0},
                         [](std::int64_t sum, const TensorSpec& t) { return sum + t.numel(); });
}

std::int64_t optimizer_copies(const OptimSection& optim) { return optim.name == "adamw" ? 2 : 1; }

// For the loop as it stands in worker/stages/pretrain.cpp: the graphs of all lanes of a
// rank live until their backward, and each lane owns one flat gradient, which the tree then sums into.
RankPlan rank_plan(const RunConfig& config, const Plan& plan, const ViewCost& cost, std::int64_t ranks) {
  RankPlan r;
  r.ranks = ranks;
  r.lanes_max = lanes_of(0, ranks, config.batch.lanes).count;
  r.lanes_min = lanes_of(ranks - 1, ranks, config.batch.lanes).count;
  r.images_max = r.lanes_max * config.batch.lane_images;
  r.images_min = r.lanes_min * config.batch.lane_images;
  r.busy = static_cast<double>(config.batch.lanes) / static_cast<double>(ranks * r.lanes_max);
  const std::int64_t parameters = plan.encoder_parameters + plan.head_parameters;
  r.weight_bytes = kFloat * (parameters + plan.encoder_parameters);  // and the standardised kernels
  // The sum over lanes is one of these on a single rank, and another one where pieces come from others.
  r.gradient_bytes = kFloat * parameters * (r.lanes_max + (ranks > 1 ? 1 : 0));
  r.optimizer_bytes = kFloat * parameters * optimizer_copies(config.optim);
  r.activation_bytes =
      std::llround(static_cast<double>(kFloat * 2 * r.images_max * cost.kept_elements) * (1 + kTemporaries));
  r.snapshot_bytes = (plan.checkpoint_bytes + ranks - 1) / ranks;  // written while training goes on
  r.program_bytes = kProgramBytes;
  r.data_bytes = kFloat * (std::max<std::int64_t>(1, config.data.prefetch) + 1) * 2 * r.images_max *
                 plan.input.image.channels * config.views.crop_pixels * config.views.crop_pixels;
  return r;
}

void add_network(Plan& plan, const RunConfig& config) {
  const BitArchitecture arch = bit_architecture(config.model.name, plan.input.image.channels);
  const ViewCost cost = view_cost(arch, config.views.crop_pixels);
  plan.encoder_parameters = count(bit_tensors(arch));
  plan.head_parameters = count(projection_head_tensors(config.model, arch.feature_width()));
  plan.macs_per_view = cost.macs;
  plan.checkpoint_bytes =
      kFloat * ((plan.encoder_parameters + plan.head_parameters) * (1 + optimizer_copies(config.optim)) +
                count(projection_head_buffers(config.model, arch.feature_width())));
  const auto trained =
      bit_tensors(arch).size() + projection_head_tensors(config.model, arch.feature_width()).size();
  plan.tensors =
      static_cast<std::int64_t>(trained) * (1 + optimizer_copies(config.optim)) +
      static_cast<std::int64_t>(projection_head_buffers(config.model, arch.feature_width()).size());
  for (std::int64_t ranks = 1; ranks <= config.batch.lanes; ++ranks)
    plan.ranks.push_back(rank_plan(config, plan, cost, ranks));
}

void add_length(Plan& plan, const RunConfig& config) {
  const std::int64_t samples = plan.input.num_samples, batch = plan.global_batch;
  plan.steps_per_epoch = static_cast<double>(samples) / static_cast<double>(batch);
  plan.total_steps = schedulers::total_steps(config.train, config.schedule, samples, batch);
  const schedulers::Schedule schedule(config.schedule, config.optim.lr, batch, samples, plan.total_steps);
  plan.warmup_steps = schedule.warmup_steps();
  plan.peak_lr = schedule.peak();
  plan.epochs = static_cast<double>(plan.total_steps) / std::max(plan.steps_per_epoch, 1e-12);
  if (plan.input.views_per_second > 0)
    plan.seconds = static_cast<double>(plan.total_steps) * static_cast<double>(plan.views_per_step) /
                   plan.input.views_per_second;
}

void add_commits(Plan& plan, const RunConfig& config) {
  const CommitInterval every = parse_commit_interval(config.checkpoint.every);
  if (every.steps > 0)
    plan.commits = (plan.total_steps + every.steps - 1) / every.steps;  // the end commits once
  else if (plan.seconds)
    plan.commits = static_cast<std::int64_t>(*plan.seconds / every.seconds) + 1;
  plan.disk_bytes = plan.checkpoint_bytes * (config.checkpoint.keep + config.checkpoint.keep_best +
                                             1);  // the new one stands before the oldest goes
  plan.metrics_bytes = plan.total_steps * 250;
  if (plan.commits)
    plan.ledger_bytes =
        plan.total_steps * kLedgerStep + *plan.commits * (kLedgerCommit + kLedgerTensor * plan.tensors);
}

std::vector<std::string> warnings_of(const Plan& plan, const RunConfig& config) {
  std::vector<std::string> out;
  const auto warn = [&](const auto&... parts) { out.push_back(cat(parts...)); };
  const ViewSection& v = config.views;
  const sharding::ImageShape& image = plan.input.image;
  const std::int64_t n = plan.input.num_samples, g = plan.global_batch;
  if (n < g)
    warn("the corpus has fewer images (", n, ") than the global batch (", g,
         "): pretrain will refuse; lower batch.lane_images");
  else if (n < 3 * g)
    warn(
        "the corpus has fewer than three global batches: the same images are each other's negatives again "
        "and again");
  if (image.channels == 1 && (v.hue > 0 || v.saturation > 0 || v.gray > 0))
    warn("hue, saturation and gray do nothing on one channel; views.preset xray leaves them out");
  if (!plan.input.assumed && v.crop_pixels > std::max(image.height, image.width))
    warn("views of ", v.crop_pixels, " px are larger than the images (", image.width, " x ", image.height,
         "): they are enlarged, which costs time and adds nothing");
  if (v.preset == "xray" && v.min_area < 0.2)
    warn("crops from ", v.min_area * 100,
         " % of a radiograph may leave the finding out; 0.2 or more is usual");
  if (!plan.input.assumed && image.type == sharding::ElementType::kU16 && config.data.window_low == 0 &&
      config.data.window_high == 0)
    warn(
        "16-bit images without a window: 0 to 65535 are mapped to 0 to 1; 12-bit data would look black "
        "(data.window_high 4095)");
  if (image.type == sharding::ElementType::kU16 && config.data.window_high > 0 &&
      config.data.window_high <= 255)
    warn("16-bit images with an 8-bit window (up to ", config.data.window_high, "): all above it is white");
  if (plan.warmup_steps >= plan.total_steps)
    warn("warm-up (", plan.warmup_steps, " steps) takes the whole run (", plan.total_steps,
         "); set schedule.warmup_steps");
  if (config.optim.name == "adamw" && config.schedule.scaling != "none" && plan.peak_lr > 0.01)
    warn("a peak learning rate of ", plan.peak_lr,
         " is large for adamw; schedule.scaling none takes optim.lr as it stands");
  out.insert(out.end(), plan.input.order_warnings.begin(), plan.input.order_warnings.end());
  return out;
}

}  // namespace

Plan make_plan(const RunConfig& config, const PlanInput& input) {
  Plan plan;
  plan.input = input;
  plan.global_batch = config.batch.lanes * config.batch.lane_images;
  plan.negatives = 2 * plan.global_batch - 2;
  plan.views_per_step = 2 * plan.global_batch;
  add_length(plan, config);
  add_network(plan, config);
  add_commits(plan, config);
  plan.warnings = warnings_of(plan, config);
  return plan;
}

}  // namespace entrain::coordinator
