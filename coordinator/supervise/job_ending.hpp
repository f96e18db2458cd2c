#pragma once
#include <string>

namespace entrain::supervise {

/// Whether Slurm ends the batch job that this process runs in, or gives its nodes to another one: in the grace time of a
/// preemption only the steps get a signal, and this process gets none. Outside a job, and where squeue does not answer: no.
bool job_is_ending();

/// Whether a step was ended from outside, by what its srun said on stderr: it was cancelled, and no task ended of itself,
/// in an error or with its node. Pure.
bool step_was_stopped(const std::string& said);

}  // namespace entrain::supervise
