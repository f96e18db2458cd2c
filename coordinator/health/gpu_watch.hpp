#pragma once
#include <memory>
#include <string>

#include "coordinator/health/gpu_load.hpp"
#include "coordinator/health/nvml.hpp"

namespace entrain::health {

/// Reads one GPU once a second, in a thread of its own: a driver that hangs holds nobody else up. Where the GPU cannot be read
/// that is logged, once.
class GpuWatch {
 public:
  explicit GpuWatch(std::string uuid, std::string library = kNvmlLibrary);
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

  /// What was read last, unless that is ten seconds ago; energy since the first look. Does not wait. Any thread.
  GpuLoad latest() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace entrain::health
