#include "coordinator/supervise/job_fleet.hpp"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <sstream>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "slurm/commands.hpp"

namespace entrain::supervise {
namespace {

constexpr double kProbeSeconds = 8;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool in_job() { return !variable("SLURM_JOB_ID").empty(); }

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> nodes_of_job() {
  const std::string list = variable("SLURM_JOB_NODELIST");
  const auto told = slurm::run_command({"scontrol", "show", "hostnames", list}, slurm::kAskSeconds);
  if (told.ok() && !words_of(told.out).empty()) return words_of(told.out);
  // A list without brackets is a list of names as it stands.
  if (!list.empty() && list.find('[') == std::string::npos) {
    std::string text = list;
    std::replace(text.begin(), text.end(), ',', ' ');
    return words_of(text);
  }
  throw LaunchError(cat("job ", variable("SLURM_JOB_ID"), ": its nodes (SLURM_JOB_NODELIST ", list,
                        ") cannot be told: ", told.complaint));
}

// Down, drained or not answering ("*"), by Slurm's word. Unfiltered: a query for one node may be behind.
std::set<std::string> down_by_slurm() {
  std::set<std::string> down;
  const auto told =
      slurm::run_command({"sinfo", "--noheader", "--Node", "--format=%N %T"}, slurm::kAskSeconds);
  std::istringstream lines(told.out);
  for (std::string node, state; lines >> node >> state;)
    if (state.find("down") != std::string::npos || state.find('*') != std::string::npos) down.insert(node);
  return down;
}

// One that was asked to stop is none that does not start.
bool starts_a_step(const std::string& node, const std::stop_token& stop) {
  const auto ran =
      slurm::run_command({"srun", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=" + node, "true"},
                         kProbeSeconds, "", stop);
  return ran.ok() || ran.end == slurm::CommandResult::End::kStopped;
}

// A job without any node is no job: then the answer is not to be believed.
std::set<std::string> unless_all(const Fleet& fleet, std::set<std::string> lost) {
  return lost.size() == fleet.nodes.size() ? std::set<std::string>{} : lost;
}

std::set<std::string> down_of(const Fleet& fleet) {
  std::set<std::string> down;
  const auto told = down_by_slurm();
  for (const auto& node : fleet.nodes)
    if (told.count(node) > 0) down.insert(node);
  return down;
}

}  // namespace

Fleet fleet_of(const RunConfig& config, int ranks) {
  Fleet fleet;
  fleet.min_ranks = static_cast<int>(config.fault.min_ranks);
  if (!in_job()) {
    fleet.nodes = {""};
    fleet.ranks_per_node = fleet.max_ranks = std::max(ranks, 1);
    return fleet;
  }
  fleet.nodes = nodes_of_job();
  fleet.ranks_per_node = static_cast<int>(config.slurm.ranks_per_node);
  const int there = static_cast<int>(fleet.nodes.size());
  // Of a job that was not submitted by us, every node that is not a spare.
  const int spares = std::min(static_cast<int>(config.slurm.spares), there - 1);
  fleet.nodes_wanted = there - spares;
  fleet.max_ranks = ranks > 0 ? ranks : fleet.nodes_wanted * fleet.ranks_per_node;
  return fleet;
}

std::string choose_launcher(const SlurmSection& slurm) {
  if (!in_job()) {
    if (slurm.launcher == "srun")
      throw LaunchError("slurm.launcher is srun, but this is no batch job (SLURM_JOB_ID is not set)");
    return "mpirun";
  }
  if (slurm.launcher != "auto") return slurm.launcher;
  const auto told = slurm::run_command({"srun", "--mpi=list"}, slurm::kAskSeconds);
  return told.ok() && (told.out + told.err).find("pmix") != std::string::npos ? "srun" : "mpirun";
}

std::set<std::string> down_nodes(const Fleet& fleet) {
  return in_job() ? unless_all(fleet, down_of(fleet)) : std::set<std::string>{};
}

std::set<std::string> lost_nodes(const Fleet& fleet, const std::stop_token& stop) {
  if (!in_job()) return {};
  auto lost = down_of(fleet);
  std::vector<std::pair<std::string, std::future<bool>>> probes;
  for (const auto& node : fleet.nodes)
    if (lost.count(node) == 0)
      probes.emplace_back(node, std::async(std::launch::async, starts_a_step, node, stop));
  for (auto& [node, starts] : probes)
    if (!starts.get()) lost.insert(node);
  return unless_all(fleet, std::move(lost));
}

}  // namespace entrain::supervise
