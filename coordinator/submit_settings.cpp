#include "coordinator/submit_settings.hpp"

#include <array>
#include <string_view>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::coordinator {
namespace {

// An option of sbatch, and the key that sets the same. sbatch takes the later word, and all that we check and count goes by
// the key.
struct OptionOfKey {
  std::string_view name, letter, key;
  bool only_if_set = false;  // else the key is always asked for, or always looked at
};
constexpr std::array kOptions{OptionOfKey{"--nodes", "-N", "slurm.nodes"},
                              OptionOfKey{"--ntasks", "-n", "slurm.ranks_per_node"},
                              OptionOfKey{"--ntasks-per-node", "", "slurm.ranks_per_node"},
                              OptionOfKey{"--time", "-t", "slurm.time"},
                              OptionOfKey{"--partition", "-p", "slurm.partition"},
                              OptionOfKey{"--exclude", "-x", "slurm.exclude"},
                              OptionOfKey{"--cpus-per-task", "-c", "slurm.cpus_per_rank"},
                              OptionOfKey{"--gpus-per-node", "", "slurm.gpus_per_node", true},
                              OptionOfKey{"--mem", "", "slurm.memory", true},
                              OptionOfKey{"--account", "-A", "slurm.account", true},
                              OptionOfKey{"--qos", "-q", "slurm.qos", true},
                              OptionOfKey{"--constraint", "-C", "slurm.constraint", true},
                              OptionOfKey{"--job-name", "-J", "slurm.job_name", true}};

// The words that begin with -, outside of quotes; one line may hold several options.
std::vector<std::string> options_in(const std::string& line) {
  std::vector<std::string> out{""};
  char quote = 0;
  for (const char c : line) {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') quote = quote != 0 ? '\0' : c;
    if (quote == 0 && (c == ' ' || c == '\t'))
      out.emplace_back();
    else
      out.back() += c;
  }
  std::erase_if(out, [](const std::string& word) { return !word.starts_with('-'); });
  return out;
}

bool is(const OptionOfKey& known, const std::string& word) {
  return word.substr(0, word.find('=')) == known.name ||
         (!known.letter.empty() && word.starts_with(known.letter));
}

void require_keys_for_options(const SubmitStage& stage) {
  for (const auto& line : stage.resolved.config.slurm.options)
    for (const auto& word : options_in(line))
      for (const auto& known : kOptions) {
        const std::string key(known.key);
        if (!is(known, word) || (known.only_if_set && stage.resolved.origins.at(key) == "default")) continue;
        refuse_setting(
            stage, "slurm.options",
            cat(word, " would go before ", key, " (", typed_value(stage, key), ", ",
                stage.resolved.origins.at(key), "), which the run goes by; leave it out and set ", key));
      }
}

}  // namespace

void refuse_setting(const SubmitStage& stage, const std::string& key, const std::string& text) {
  throw ConfigError(cat(stage.path, ": ", stage.resolved.origins.at(key), ": ", key, ": ", text));
}

std::string typed_value(const SubmitStage& stage, const std::string& key) {
  const std::string& value = stage.resolved.values.at(key);
  return value.size() > 1 && value.front() == '"' ? value.substr(1, value.size() - 2) : value;
}

void require_job(const SubmitStage& stage) {
  const SlurmSection& s = stage.resolved.config.slurm;
  if (stage.resolved.config.run.dir.empty())
    refuse_setting(stage, "run.dir", "is not set: where shall the run go?");
  if (!s.container.empty() && s.launcher == "mpirun")
    refuse_setting(stage, "slurm.container",
                   "is for srun, and slurm.launcher is mpirun; leave one of them out");
  require_keys_for_options(stage);
  try {
    if (!s.time.empty()) slurm::parse_time_limit(s.time);
  } catch (const ConfigError& e) {
    refuse_setting(stage, "slurm.time", e.what());
  }
}

void require_start(const SubmitStage& stage) {
  const RunConfig& c = stage.resolved.config;
  const std::int64_t ranks = c.slurm.nodes * c.slurm.ranks_per_node;
  if (ranks > c.batch.lanes)
    refuse_setting(stage, "slurm.ranks_per_node",
                   cat("slurm.nodes x slurm.ranks_per_node are ", ranks, " ranks, but a batch has ",
                       c.batch.lanes, " lanes, one rank each at most; lower them, or raise batch.lanes"));
  if (c.fault.min_ranks > ranks)
    refuse_setting(stage, "fault.min_ranks",
                   cat("want at most the ranks that a job begins with, ", ranks, " (slurm.nodes ",
                       c.slurm.nodes, " x slurm.ranks_per_node ", c.slurm.ranks_per_node, "), got ",
                       c.fault.min_ranks, ": no job could begin; lower it, or raise those"));
  if (stage.name == "evaluate" && c.init.from == "scratch")
    refuse_setting(stage, "init.from", "is not set: evaluate needs the run directory of a fine-tuning");
}

}  // namespace entrain::coordinator
