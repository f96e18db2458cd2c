#include "coordinator/simulate_run.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/interval.hpp"
#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "configs/yaml_tree.hpp"

namespace entrain::coordinator {
namespace {

constexpr double kRare = 30 * 86400;   // seconds between failures where none are foreseen
constexpr double kWriteSpeed = 200e6;  // bytes per second and run: a parallel file system on a bad day

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

// Seconds between two failures of the whole run; 0: none are foreseen.
double seconds_between_failures(const supervise::FaultModel& faults, double nodes, double ranks) {
  double per_second = 0;
  if (faults.node_hours > 0) per_second += nodes / (3600 * faults.node_hours);
  for (const double hours : {faults.rank_hours, faults.hang_hours})
    if (hours > 0) per_second += ranks / (3600 * hours);
  return per_second > 0 ? 1 / per_second : 0;
}

// The longest of all runs, in seconds. 0: of this there was none, so nothing is promised.
std::string noticed_text(double failures, double detection, double recovery) {
  if (failures <= 0 && detection <= 0 && recovery <= 0)
    return "not known: no fault stopped the ranks in any of these runs";
  return cat(detection > 0 ? cat("after at most ", duration_text(detection)) : "by the launcher alone", ", ",
             recovery > 0 ? cat("training again after at most ", duration_text(recovery))
                          : "and no run trained again after one");
}

// As `entrain submit` refuses them.
void require_lanes(const RunConfig& config) {
  const std::int64_t ranks = config.slurm.nodes * config.slurm.ranks_per_node;
  if (ranks > config.batch.lanes)
    throw ConfigError(cat("--simulate: slurm.nodes x slurm.ranks_per_node are ", ranks,
                          " ranks, but a batch has ", config.batch.lanes,
                          " lanes, one rank each at most; lower them, or raise batch.lanes"));
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

supervise::SimulatedRun run_of(const Plan& plan, const RunConfig& config, const SimulationRequest& request) {
  supervise::SimulatedRun run;
  run.faults = request.faults;
  run.total_steps = plan.total_steps;
  run.step_seconds = *plan.seconds / static_cast<double>(plan.total_steps);
  const SlurmSection& slurm = config.slurm;
  auto& fleet = run.settings.fleet;
  for (std::int64_t node = 0; node < slurm.nodes + slurm.spares; ++node)
    fleet.nodes.push_back(cat('n', node + 1));
  fleet.nodes_wanted = static_cast<int>(slurm.nodes);
  fleet.ranks_per_node = static_cast<int>(slurm.ranks_per_node);
  fleet.min_ranks = static_cast<int>(config.fault.min_ranks);
  fleet.max_ranks = static_cast<int>(config.batch.lanes);
  run.settings.patience = supervise::patience_of(config.fault);
  run.settings.max_cycles = static_cast<int>(config.fault.max_cycles);
  run.commit_seconds = request.commit_seconds > 0 ? request.commit_seconds
                                                  : static_cast<double>(plan.checkpoint_bytes) / kWriteSpeed;
  const CommitInterval every = parse_commit_interval(config.checkpoint.every);
  run.commit_every = every.steps > 0 ? static_cast<double>(every.steps) * run.step_seconds : every.seconds;
  const auto nodes = static_cast<double>(slurm.nodes);
  const double failures =
      seconds_between_failures(request.faults, nodes, nodes * static_cast<double>(slurm.ranks_per_node));
  if (every.automatic)
    run.commit_every = checkpoint::best_interval_seconds(run.commit_seconds, failures > 0 ? failures : kRare);
  return run;
}

}  // namespace

SimulationRequest read_simulation(const std::string& path) {
  ConfigTree tree = read_yaml_tree(path);
  Reading reading;
  SimulationRequest request;
  auto& f = request.faults;
  const double many = 1e9;
  Section s("faults", std::move(tree["faults"].entries), reading);
  tree.erase("faults");
  s.number("node_hours", f.node_hours, 0, many);
  s.number("rank_hours", f.rank_hours, 0, many);
  s.number("hang_hours", f.hang_hours, 0, many);
  s.number("supervisor_hours", f.supervisor_hours, 0, many);
  s.number("beat_loss", f.beat_loss, 0, 1);
  s.number("beat_delay", f.beat_delay, 0, 3600);
  s.number("beat_twice", f.beat_twice, 0, 1);
  s.number("commit_fails", f.commit_fails, 0, 1);
  s.number("kill_seconds", f.kill_seconds, 0, 3600);
  s.number("setup_seconds", f.setup_seconds, 0, 86400);
  s.number("restart_seconds", f.restart_seconds, 0, 86400);
  s.number("commit_seconds", request.commit_seconds, 0, 86400);
  std::int64_t runs = request.runs;
  s.integer("runs", runs, 1, 100'000);
  s.done();
  request.runs = static_cast<int>(runs);
  if (!tree.empty())
    throw ConfigError(cat(tree.begin()->second.where, ": ", tree.begin()->first,
                          ": unknown section; a file for --simulate has one, faults"));
  return request;
}

Simulation simulate_plan(const Plan& plan, const RunConfig& config, const SimulationRequest& request) {
  if (!plan.seconds)
    throw ConfigError("--simulate: give --throughput VIEWS_PER_S too; without it a step has no length");
  require_lanes(config);
  supervise::SimulatedRun run = run_of(plan, config, request);
  run.horizon = 1000 * *plan.seconds + 86400;
  Simulation out{request.runs, config.slurm.nodes, config.slurm.ranks_per_node, config.slurm.spares};
  out.commit_every = run.commit_every;
  out.commit_seconds = run.commit_seconds;
  out.without_faults = *plan.seconds;
  std::vector<double> goodputs, seconds;
  for (int seed = 0; seed < request.runs; ++seed) {
    run.seed = static_cast<std::uint64_t>(seed);
    const auto end = supervise::simulate(run);
    if (!end.violated.empty())
      throw Error(ExitCode::kBug, cat("--simulate: seed ", seed, ": ", end.violated.front()));
    ++out.codes[end.code];
    goodputs.push_back(end.goodput);
    seconds.push_back(end.seconds);
    out.failures += static_cast<double>(end.failures) / request.runs;
    out.longest_recovery = std::max(out.longest_recovery, end.longest_recovery);
    out.longest_detection = std::max(out.longest_detection, end.longest_detection);
  }
  out.goodput_median = quantile(goodputs, 0.5);
  out.goodput_low = quantile(goodputs, 0.05);
  out.seconds_median = quantile(seconds, 0.5);
  out.seconds_high = quantile(seconds, 0.95);
  return out;
}

std::string simulation_text(const Simulation& s) {
  std::string out = cat("\nsimulation of ", s.runs, " runs with the production supervisor, on ", s.nodes,
                        " nodes x ", s.ranks_per_node, " ranks and ", s.spares, " spares\n");
  out += cat("  commits             one every ", duration_text(s.commit_every), ", each ",
             duration_text(s.commit_seconds), "\n");
  out += cat("  failures            ", s.failures, " per run\n");
  out += cat("  goodput             ", percent(s.goodput_median), " (median; 5th percentile ",
             percent(s.goodput_low), ")\n");
  out += cat("  time                ", duration_text(s.seconds_median), " (median; 95th percentile ",
             duration_text(s.seconds_high), "), without faults ", duration_text(s.without_faults), "\n");
  out +=
      cat("  a fault is noticed  ", noticed_text(s.failures, s.longest_detection, s.longest_recovery), "\n");
  for (const auto& [code, times] : s.codes)
    if (code != 0)
      out += cat("  ",
                 code == 76   ? "requeued (76)       "
                 : code == 93 ? "gave up (93)        "
                              : "did not end         ",
                 times, " of ", s.runs, " runs\n");
  return out;
}

nlohmann::ordered_json simulation_json(const Simulation& s) {
  const auto or_null = [](double seconds) {
    return seconds > 0 ? nlohmann::ordered_json(seconds) : nlohmann::ordered_json();
  };
  nlohmann::ordered_json json{{"runs", s.runs},
                              {"nodes", s.nodes},
                              {"ranks_per_node", s.ranks_per_node},
                              {"spares", s.spares},
                              {"commit_every_seconds", s.commit_every},
                              {"commit_seconds", s.commit_seconds},
                              {"failures_per_run", s.failures},
                              {"goodput", {{"median", s.goodput_median}, {"p5", s.goodput_low}}},
                              {"seconds", {{"median", s.seconds_median}, {"p95", s.seconds_high}}},
                              {"seconds_without_faults", s.without_faults},
                              {"longest_detection_seconds", or_null(s.longest_detection)},
                              {"longest_recovery_seconds", or_null(s.longest_recovery)}};
  for (const auto& [code, times] : s.codes) json["exit_codes"][std::to_string(code)] = times;
  return json;
}

}  // namespace entrain::coordinator
