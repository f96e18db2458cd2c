#pragma once
#include "coordinator/submit_stages.hpp"

namespace entrain::coordinator {

/// `--cancel-chain`: takes what still waits of these runs out of the queue, and prints a line for each job and each element
/// of an array. Error 69 where Slurm does not answer.
void cancel_chain(const SubmitLine& line);

}  // namespace entrain::coordinator
