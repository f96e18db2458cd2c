#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "configs/run_config.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// How ranks are started: the command line of the launcher, and the environment on top of ours ("" takes a name away).
struct Launch {
  std::vector<std::string> words{};
  std::map<std::string, std::string> environment{};
};

/// `worker`: the command of one rank. On this machine alone (no node has a name): mpirun. In a batch job: srun, or mpirun
/// over the job's nodes. Every later generation of a job needs --overlap: a step that died with its node keeps its cores
/// until the scheduler has noticed.
Launch launch_words(const Placement& placement, const std::string& launcher, const SlurmSection& slurm,
                    const std::vector<std::string>& worker, const std::string& run_id,
                    std::int64_t generation);

/// As one command line, for those who start it without an environment of its own: env A=1 -u B mpirun ...
std::vector<std::string> with_environment(const Launch& launch);

}  // namespace entrain::supervise
