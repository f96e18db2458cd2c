#pragma once
#include <string>
#include <vector>

#include "worker/collectives/mpi.hpp"

namespace entrain::tests {

/// Plain CUDA and NCCL calls with one mistake: the stand-in ends the process. "right" makes none, in every case at once.
int run_misuse(const std::string& name, worker::MpiCollectives& host);

/// FOLDER RANKS_THAT_MAY_DIE INIT_LIMIT LIMIT ROUNDS [RANK PLACE]: collectives of the production code until a fault or the end; how it
/// ended goes to FOLDER/rank*. RANK leaves by an error of its own in the third round, at PLACE: while the
/// others wait for it in "nccl" or for its "counts" in MPI.
int run_rounds(const std::vector<std::string>& args, worker::MpiCollectives& host);

}  // namespace entrain::tests
