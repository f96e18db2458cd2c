#include "coordinator/submit_refusal.hpp"

#include <array>
#include <sstream>
#include <vector>

#include "configs/cat.hpp"
#include "configs/section.hpp"
#include "coordinator/submit_settings.hpp"
#include "slurm/commands.hpp"
#include "slurm/fields.hpp"

namespace entrain::coordinator {
namespace {

constexpr std::size_t kKinds = 6;  // of nodes; more would hide the rest of the line

// "slurm.nodes=2 slurm.ranks_per_node=8 slurm.memory=7000M": what was set, and what is always asked for.
std::string asked_for(const SubmitStage& stage, const slurm::JobScript& job) {
  constexpr std::array kAlways{"nodes", "ranks_per_node"};
  constexpr std::array kIfSet{"spares",    "cpus_per_rank", "gpus_per_node", "memory",     "time",
                              "partition", "account",       "qos",           "constraint", "options"};
  std::vector<std::string> out;
  const auto add = [&](const std::string& key) { out.push_back(cat(key, '=', typed_value(stage, key))); };
  for (const char* name : kAlways) add(cat("slurm.", name));
  for (const char* name : kIfSet)
    if (const std::string key = cat("slurm.", name); stage.resolved.origins.at(key) != "default") add(key);
  if (!job.slurm.exclude.empty()) out.push_back("slurm.exclude=" + job.slurm.exclude);  // with bad nodes
  return join(out, " ");
}

// "n[1-3] (3) of 2 CPUs, 3904 MB, no GRES; g1 (1) of ..."; empty: Slurm does not tell.
std::string nodes_of(const std::string& partition) {
  const auto told = slurm::run_command(
      {"sinfo", "--noheader", "--exact", "--partition=" + partition, "--format=%D|%c|%m|%G|%N"},
      slurm::kAskSeconds);
  if (!told.ok()) return "";
  std::vector<std::string> kinds;
  std::istringstream lines(told.out);
  for (std::string line; std::getline(lines, line);) {
    const auto f = slurm::split(line, '|');
    if (f.size() < 5) continue;
    kinds.push_back(kinds.size() == kKinds ? "..."
                                           : cat(f[4], " (", f[0], ") of ", f[1], " CPUs, ", f[2], " MB, ",
                                                 f[3] == "(null)" ? "no GRES" : "GRES " + f[3]));
    if (kinds.size() > kKinds) break;
  }
  return join(kinds, "; ");
}

std::string default_partition(const slurm::Site& site) {
  for (const auto& p : site.partitions)
    if (p.is_default) return p.name;
  return "";
}

}  // namespace

std::string refusal_text(const std::string& words, const SubmitStage& stage, const slurm::JobScript& job,
                         const slurm::Site& site) {
  const std::string partition = job.slurm.partition.empty() ? default_partition(site) : job.slurm.partition;
  const std::string nodes = partition.empty() ? "" : nodes_of(partition);
  return cat(words, "; asked for: ", asked_for(stage, job),
             nodes.empty() ? "" : cat("; partition ", partition, " has ", nodes));
}

}  // namespace entrain::coordinator
