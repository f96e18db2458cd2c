// Instead of cuda.cpp where Entrain is built without CUDA.
#include "configs/error.hpp"
#include "worker/device/gpu.hpp"

namespace entrain::worker {
namespace {
constexpr const char* kWayOut =
    "this entrain was built for CPUs only; build it with `make cuda` on a machine with GPUs, or set "
    "run.device=cpu";
}

std::string built_cuda() { return ""; }
GpusSeen gpus_seen() { return {0, kWayOut}; }
std::unique_ptr<Device> open_gpu(int) { throw LaunchError(kWayOut); }

}  // namespace entrain::worker
