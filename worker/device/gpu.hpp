#pragma once
#include <memory>
#include <string>

#include "worker/device/device.hpp"

namespace entrain::worker {

// What open_device asks of the CUDA seam; cuda.cpp has it, or cuda_absent.cpp in a build without CUDA.

/// How many GPUs this process sees; where none, in `why_none` the reason and the way out.
struct GpusSeen {
  int count = 0;
  std::string why_none{};
};
GpusSeen gpus_seen();

/// Takes GPU `index` of those seen for this process. LaunchError where the driver refuses it.
std::unique_ptr<Device> open_gpu(int index);

/// Where LibTorch keeps the tensors of that GPU.
at::Device tensors_of_gpu(int index);

}  // namespace entrain::worker
