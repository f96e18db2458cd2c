#pragma once
#include <set>
#include <stop_token>
#include <string>

#include "configs/run_config.hpp"
#include "coordinator/supervise/fleet.hpp"

namespace entrain::supervise {

/// The nodes of the batch job that this process runs in, or this machine. `ranks`: from the command line, 0: not given.
/// LaunchError: a job whose nodes cannot be told.
Fleet fleet_of(const RunConfig& config, int ranks);

/// slurm.launcher, or with `auto`: in a batch job srun where it offers PMIx, else mpirun. LaunchError: neither is there.
std::string choose_launcher(const SlurmSection& slurm);

/// Nodes of this job that the scheduler takes for gone: its word alone, a question of a moment. It may be minutes late.
/// None where that would be all of them.
std::set<std::string> down_nodes(const Fleet& fleet);
/// These, and those that do not start a step within some seconds; less once `stop` is requested.
std::set<std::string> lost_nodes(const Fleet& fleet, const std::stop_token& stop = {});

}  // namespace entrain::supervise
