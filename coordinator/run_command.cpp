#include <algorithm>
#include <charconv>
#include <iostream>
#include <utility>

#include "checkpoint/run_lock.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/supervise/job_fleet.hpp"
#include "coordinator/supervise/session.hpp"
#include "slurm/job_state.hpp"

namespace entrain::coordinator {
namespace {

const std::vector<CliOption> kOptions{
    {"-n", "RANKS", "how many ranks; in a batch job at most, outside 1 unless given"},
    {"--stage", "STAGE", "pretrain (unless given), finetune or evaluate"}};

int ranks_of(const CommandLine& line) {
  const auto found = line.options.find("-n");
  if (found == line.options.end()) return 0;
  const std::string& text = found->second;
  int ranks = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ranks);
  if (error != std::errc{} || end != text.data() + text.size() || ranks < 1 || ranks > 65536)
    throw ConfigError(cat("entrain run: -n: want a number of ranks from 1 to 65536, got \"", text, '"'));
  return ranks;
}

std::string stage_of(const CommandLine& line) {
  const auto found = line.options.find("--stage");
  if (found == line.options.end()) return "pretrain";
  for (const char* known : {"pretrain", "finetune", "evaluate"})
    if (found->second == known) return known;
  throw ConfigError(
      cat("entrain run: --stage: want pretrain, finetune or evaluate, got \"", found->second, '"'));
}

// With fewer ranks than fault.min_ranks even where nothing has failed, no generation would ever begin.
void require_enough_ranks(const CommandLine& line, supervise::Fleet fleet, int asked) {
  const int least = std::exchange(fleet.min_ranks, 1);
  const int most = supervise::place(fleet, {}).ranks;
  if (least <= most) return;
  throw ConfigError(cat(line.config.origins.at("fault.min_ranks"), ": fault.min_ranks: want at most ", most,
                        ", the ranks that this run begins with (",
                        asked > 0 ? cat("-n ", asked) : std::string("-n is not given"), " on ",
                        fleet.nodes.size(), fleet.nodes.size() == 1 ? " node" : " nodes", "), got ", least,
                        "; lower it, or start more ranks"));
}

// Slurm answers, and no more knows it or has ended it.
bool job_is_over(const std::string& job) {
  std::string complaint;
  return slurm::alive_jobs({job}, complaint).empty() && complaint.empty();
}

}  // namespace

int run_command(const std::vector<std::string>& args) {
  const CommandLine line = parse_config_command("run", args, kOptions);
  if (line.answer) {
    std::cout << *line.answer;
    return 0;
  }
  const RunConfig& config = line.config.config;
  supervise::SessionSettings settings;
  settings.config = config;
  settings.stage = stage_of(line);
  if (config.run.dir.empty())
    throw ConfigError("run.dir is not set: where shall checkpoints, events and the status go?");
  const int ranks = ranks_of(line);
  const int lanes = static_cast<int>(config.batch.lanes);
  if (settings.stage == "pretrain" && ranks > lanes)
    throw LaunchError(
        cat("-n ", ranks, " is more than batch.lanes (", lanes,
            "): at most one rank per lane; lower it, or raise batch.lanes and lower batch.lane_images"));
  settings.fleet = supervise::fleet_of(config, ranks);
  settings.fleet.max_ranks = std::min(settings.fleet.max_ranks, lanes);
  require_enough_ranks(line, settings.fleet, ranks);
  settings.launcher = supervise::choose_launcher(config.slurm);
  settings.worker = {worker_program(), settings.stage, line.path};
  settings.worker.insert(settings.worker.end(), line.overrides.begin(), line.overrides.end());
  set_log_context({0, 0, "run"});
  checkpoint::remove_lock_of_ended_job(config.run.dir, "supervisor.lock", job_is_over);
  return supervise::Session(std::move(settings)).run();
}

}  // namespace entrain::coordinator
