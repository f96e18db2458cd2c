#include "tests/worker/stages/mini_run.hpp"

#include <ATen/ATen.h>

#include <chrono>
#include <map>
#include <thread>

#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "sharding/sample_plan.hpp"
#include "tests/support/ranks.hpp"
#include "worker/stages/background_commits.hpp"

namespace entrain::tests {
namespace {

using worker::NamedTensor;

struct Gone {};  // a rank that is no more: not a std::exception, so that nothing handles it

sharding::SamplePlan plan_of(const MiniRun& run) {
  sharding::PlanSettings settings{
      .num_samples = run.num_samples, .global_batch = run.lanes * run.lane_images, .seed = run.seed};
  if (run.forbid)
    for (std::int64_t i = 0; i < run.num_samples; ++i)
      settings.classes.push_back(static_cast<std::uint32_t>(i / 2));
  return sharding::SamplePlan(settings);
}

// Weights, an average of them, and a momentum: enough for several shards.
struct State {
  std::map<std::string, at::Tensor> tensors;
  explicit State(std::int64_t elements) {
    for (const char* name : {"encoder.a", "encoder.b", "ema.a", "ema.b", "optim.momentum.a",
                             "optim.momentum.b", "queue.a", "head.a"})
      tensors[name] = at::zeros({elements}, at::kLong);
  }
  std::vector<NamedTensor> named() const {
    std::vector<NamedTensor> all;
    for (const auto& [name, value] : tensors) all.push_back({name, value});
    return all;
  }
};

std::int64_t mixed(std::int64_t a, std::int64_t b) {
  const auto x = philox4x32({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                             static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(b >> 32)},
                            {7, 8});
  return static_cast<std::int64_t>(std::uint64_t{x[0]} << 32 | x[1]);
}

// One step; the loss is the same on all ranks.
double train(State& state, const std::vector<sharding::Slot>& slots_seen, std::int64_t first_slot,
             worker::Collectives& comm) {
  const auto count = static_cast<std::int64_t>(slots_seen.size());
  const at::Tensor mine = at::empty({count}, at::kLong);
  for (std::int64_t i = 0; i < count; ++i)
    mine[i] = mixed(slots_seen[i].sample << 20 | slots_seen[i].epoch, first_slot + i);
  const at::Tensor all = comm.all_gather_rows(mine).all;
  std::int64_t gradient = 0;
  for (std::int64_t i = 0; i < all.numel(); ++i) gradient = mixed(gradient, all[i].item<std::int64_t>());
  state.tensors["optim.momentum.a"].mul_(3).add_(gradient);
  state.tensors["encoder.a"].mul_(5).add_(state.tensors["optim.momentum.a"]);
  state.tensors["encoder.b"].add_(state.tensors["encoder.a"]);
  state.tensors["ema.a"].mul_(7).add_(state.tensors["encoder.a"]);
  state.tensors["ema.b"].mul_(9).add_(state.tensors["encoder.b"]);
  state.tensors["optim.momentum.b"].mul_(11).sub_(gradient);
  state.tensors["head.a"].add_(state.tensors["optim.momentum.b"]);
  state.tensors["queue.a"].mul_(13).add_(state.tensors["ema.b"]);
  return static_cast<double>(gradient & 0xffff) / 1000;
}

void run_rank(const MiniRun& run, const Mishap& mishap, worker::Collectives& comm) {
  const bool mine = comm.rank() == mishap.rank;
  FaultyFileSystem files(mine ? mishap.operation : -1, mishap.fault);
  CheckpointSection config;
  config.every = run.every;
  config.keep = 2;
  worker::Committer committer(run.dir, config, comm, true, files);
  const auto resumes = committer.resume();
  State state(run.elements);
  std::int64_t step = 0;
  if (resumes.from) {
    worker::load_tensors(checkpoint::CheckpointReader(resumes.from->dir), state.named());
    step = resumes.from->step;
  }
  const sharding::SamplePlan plan = plan_of(run);
  committer.start({{"world", comm.size()},
                   {"lanes", run.lanes},
                   {"lane_images", run.lane_images},
                   {"plan",
                    {{"digest", plan.digest()},
                     {"num_samples", run.num_samples},
                     {"global_batch", run.lanes * run.lane_images},
                     {"seed", run.seed},
                     {"same_group", run.forbid ? "forbid" : "allow"},
                     {"classes_digest", plan.classes_digest()},
                     {"first_step", 0},
                     {"first_epoch", 0},
                     {"excluded", {{"sha256", ""}, {"groups", nlohmann::json::array()}, {"images", 0}}}}}});
  const LaneBlock slots = lanes_of(comm.rank(), comm.size(), run.lanes);
  worker::BackgroundCommits commits(committer, comm, slots, run.lane_images, step, run.total_steps,
                                    {[&] { return state.named(); }, [] { return nlohmann::json::object(); }});
  while (step < run.total_steps) {
    const auto seen = plan.batch(step, slots.first * run.lane_images, slots.count * run.lane_images);
    const double loss = train(state, seen, slots.first * run.lane_images, comm);
    ++step;
    if (mine && step == mishap.step) throw Gone{};
    while (run.waits && committer.busy()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    commits.after_step(step, seen, loss, 0);
  }
}

}  // namespace

bool run_generation(const MiniRun& run, int world, const Mishap& mishap) {
  try {
    run_ranks(world, [&](worker::Collectives& comm) { run_rank(run, mishap, comm); });
    return true;
  } catch (const Gone&) {
  } catch (const PowerLoss&) {
  } catch (const Error& e) {  // the mishap of another rank, or a failed last commit
    if (mishap.rank < 0) throw;
  }
  return false;
}

}  // namespace entrain::tests
