#pragma once
#include <set>
#include <string>

#include "configs/run_config.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// The nodes of the batch job that this process runs in, or this machine. `ranks`: from the command line, 0: not given.
/// LaunchError: a job whose nodes cannot be told.
Fleet fleet_of(const RunConfig& config, int ranks);

/// slurm.launcher, or with `auto`: in a batch job srun where it offers PMIx, else mpirun. LaunchError: neither is there.
std::string choose_launcher(const SlurmSection& slurm);

/// Nodes of this job that the scheduler takes for gone, or that do not start a step within some seconds.
std::set<std::string> lost_nodes(const Fleet& fleet);

}  // namespace entrain::supervise
