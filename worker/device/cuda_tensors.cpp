#include "worker/device/gpu.hpp"

namespace entrain::worker {

at::Device tensors_of_gpu(int index) { return {at::kCUDA, static_cast<at::DeviceIndex>(index)}; }

}  // namespace entrain::worker
