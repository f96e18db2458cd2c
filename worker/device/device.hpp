#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace entrain::worker {

class MpiCollectives;

/// What a rank computes on: for the log, the manifest, and the check that no two ranks share a GPU.
struct DeviceFacts {
  std::string name = "cpu";       ///< "NVIDIA H100 80GB HBM3"
  std::string uuid{};             ///< "GPU-5b1d3c0e-..."; empty for the CPU
  int index = -1;                 ///< among the GPUs that this process sees
  std::int64_t memory_bytes = 0;  ///< of the GPU
  int capability = 0;             ///< compute capability: 90 is 9.0
  int driver_version = 0;         ///< newest CUDA that the driver knows: 13000 is 13.0
  int runtime_version = 0;        ///< CUDA that runs, numbered alike
};

/// Numbers on their way to the device.
class Upload {
 public:
  virtual ~Upload() = default;
  /// They on the device: what is computed after this call sees them.
  virtual at::Tensor tensor() = 0;
};

/// Called while the host waits; throws to end the waiting. Empty: nothing to look at.
using WaitCheck = std::function<void()>;

/// What one rank computes on. The calls that take no lock are for one thread, the rank's main one.
class Device {
 public:
  virtual ~Device() = default;
  /// Where parameters, activations and gradients live.
  virtual at::Device tensors() const = 0;
  virtual const DeviceFacts& facts() const = 0;
  virtual bool is_gpu() const = 0;

  /// Host memory that uploads are made from at full speed: pinned where there is a GPU. Outlives the device.
  virtual at::Tensor host_buffer(at::IntArrayRef sizes, at::ScalarType type) = 0;

  /// Starts to copy `from` (a host_buffer, unchanged until the next wait_uploads) to the device, behind what was computed
  /// so far and beside what is computed until Upload::tensor() is called. On a CPU the copy is `from` itself.
  virtual std::unique_ptr<Upload> start_upload(const at::Tensor& from) = 0;
  /// The same, and what is computed afterwards waits for it.
  at::Tensor upload(const at::Tensor& from) { return start_upload(from)->tensor(); }
  /// The host waits until all host_buffers may be written again.
  virtual void wait_uploads(const WaitCheck& check) = 0;

  /// The host waits for all that was computed, by polling: a peer that is gone must not hold it for ever.
  virtual void synchronize(const WaitCheck& check) = 0;
};

/// `wanted`: "auto" (a GPU where build, driver and node have them, on all ranks alike), "cpu" or "cuda". Collective.
/// LaunchError on all ranks where it cannot be had: built without CUDA, no driver, fewer GPUs than ranks on a node, one GPU
/// for two ranks.
std::unique_ptr<Device> open_device(const std::string& wanted, MpiCollectives& host);

/// The GPU of one of the ranks of a node, whatever the others get. LaunchError where there is none for it.
std::unique_ptr<Device> open_own_gpu(int local_rank, int local_size);

/// CUDA that this program is built with, "13.0"; empty: none.
std::string built_cuda();

/// The CPU of this process; what the calls above say of a CPU.
std::unique_ptr<Device> open_cpu();

}  // namespace entrain::worker
