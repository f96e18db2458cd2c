#include "coordinator/supervise/launch_words.hpp"

#include <unistd.h>

#include "configs/cat.hpp"

namespace entrain::supervise {
namespace {

using Words = std::vector<std::string>;

std::string comma_list(const Words& words, const std::string& behind_each = "") {
  std::string out;
  for (const auto& word : words) out += cat(out.empty() ? "" : ",", word, behind_each);
  return out;
}

Words srun_words(const Placement& p, const SlurmSection& slurm) {
  Words words{"srun",
              "--mpi=pmix",
              "--overlap",
              "--no-kill",
              "--kill-on-bad-exit=1",
              "--unbuffered",
              cat("--nodes=", p.nodes.size()),
              cat("--ntasks=", p.ranks),
              cat("--ntasks-per-node=", p.ranks_per_node),
              "--distribution=block",  // the ranks of a node side by side, whatever the site's default is
              cat("--nodelist=", comma_list(p.nodes))};
  if (slurm.cpus_per_rank > 0) words.push_back(cat("--cpus-per-task=", slurm.cpus_per_rank));
  if (!slurm.container.empty()) words.push_back(cat("--container-image=", slurm.container));
  return words;
}

Words mpirun_words(const Placement& p) {
  Words words{"mpirun", "-n", cat(p.ranks), "--oversubscribe", "--bind-to", "none"};
  // On this machine alone its banners say nothing that the supervisor does not say better.
  if (p.nodes.front().empty()) words.push_back("--quiet");
  if (!p.nodes.front().empty()) {
    words.insert(words.end(), {"--host", comma_list(p.nodes, cat(':', p.ranks_per_node)), "--map-by",
                               cat("ppr:", p.ranks_per_node, ":node"), "--rank-by", "slot"});
  }
  for (const char* name : {"ENTRAIN_RUN_ID", "ENTRAIN_GENERATION"}) words.insert(words.end(), {"-x", name});
  return words;
}

}  // namespace

Launch launch_words(const Placement& placement, const std::string& launcher, const SlurmSection& slurm,
                    const std::vector<std::string>& worker, const std::string& run_id,
                    std::int64_t generation) {
  Launch launch;
  launch.environment = {{"ENTRAIN_RUN_ID", run_id}, {"ENTRAIN_GENERATION", cat(generation)}};
  if (launcher == "srun") {
    launch.words = srun_words(placement, slurm);
  } else {
    launch.words = mpirun_words(placement);
    // Whoever starts us as root has decided that (a container, mostly); mpirun would refuse.
    if (::geteuid() == 0)
      for (const char* name : {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"})
        launch.environment[name] = "1";
    if (!placement.nodes.front().empty()) launch.environment["SLURM_OVERLAP"] = "1";
    launch.environment["SRUN_CPUS_PER_TASK"] = "";  // would bind mpirun's daemons to so few cores
  }
  launch.words.insert(launch.words.end(), worker.begin(), worker.end());
  return launch;
}

std::vector<std::string> with_environment(const Launch& launch) {
  std::vector<std::string> words{"env"};
  for (const auto& [name, value] : launch.environment)
    if (value.empty()) words.insert(words.end(), {"-u", name});
  for (const auto& [name, value] : launch.environment)
    if (!value.empty()) words.push_back(cat(name, '=', value));
  words.insert(words.end(), launch.words.begin(), launch.words.end());
  return words;
}

}  // namespace entrain::supervise
