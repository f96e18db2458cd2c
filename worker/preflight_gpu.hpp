#pragma once
#include "coordinator/supervise/gpu_probe.hpp"

namespace entrain::worker {

/// Tries this rank's GPU: for a second it computes one matrix product over and over, in strict float32, while NVML tells of
/// clocks and errors. Nothing is thrown. A GPU that does not come to an end is an error after twenty seconds; the thread that
/// waits for it is left behind. `local_rank` of `local_size`: among those of its node.
supervise::GpuProbe try_gpu(int rank, int local_rank, int local_size);

}  // namespace entrain::worker
