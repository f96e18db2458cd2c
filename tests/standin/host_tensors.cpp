// Instead of worker/device/cuda_tensors.cpp: the stand-in's GPUs compute on the host.
#include "worker/device/gpu.hpp"

namespace entrain::worker {

at::Device tensors_of_gpu(int) { return at::kCPU; }

}  // namespace entrain::worker
