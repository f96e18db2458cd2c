#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/health/gpu_load.hpp"

struct nvmlDevice_st;  // NVML's own handles
struct nvmlEventSet_st;

namespace entrain::health {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

/// Whether that library can be loaded here.
bool has_library(const std::string& library = kNvmlLibrary);

class Nvml;

/// One GPU as NVML knows it. What the driver does not tell of it, or does not know how to, is nothing. Any thread; its Nvml
/// outlives it.
class Gpu {
 public:
  std::string name() const;  ///< "NVIDIA H100 80GB HBM3"; empty: not told
  std::string uuid() const;  ///< "GPU-5b1d3c0e-..."; empty: not told
  int index() const;         ///< as nvidia-smi counts; -1: not told
  /// `energy_joules` since the driver was loaded.
  GpuLoad load() const;
  std::optional<double> memory_bytes() const;  ///< that it has
  std::optional<double> clock_mhz() const;     ///< of its multiprocessors now
  std::optional<double> most_clock_mhz() const;
  /// Why its clocks are low now: bits of slowdown.hpp.
  std::optional<std::uint64_t> slowdown() const;
  std::optional<bool> ecc_is_on() const;
  /// Errors that ECC could not correct, since the driver was loaded.
  std::optional<std::uint64_t> uncorrected_errors() const;

 private:
  friend class Nvml;
  friend class XidWatch;
  Gpu(const Nvml& nvml, nvmlDevice_st* device) : nvml_(&nvml), device_(device) {}
  const Nvml* nvml_;
  nvmlDevice_st* device_;
};

/// NVIDIA's management library, which comes with the driver: loaded where it is there, so that nothing needs it.
class Nvml {
 public:
  explicit Nvml(const std::string& library = kNvmlLibrary);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// Why nothing can be asked; empty: it can.
  const std::string& why_not() const { return why_not_; }
  std::string driver_version() const;  ///< "580.65.06"; empty: not told
  /// Newest CUDA that the driver knows: 13000 is 13.0.
  std::optional<int> cuda_version() const;
  /// All GPUs of this machine, whatever CUDA_VISIBLE_DEVICES says; those that the driver has lost are not among them.
  std::vector<Gpu> gpus() const;
  /// How many the driver counts, lost ones too.
  int count() const;
  std::optional<Gpu> gpu_of(const std::string& uuid) const;

 private:
  friend class Gpu;
  friend class XidWatch;
  struct Calls;
  std::unique_ptr<const Calls> calls_;
  std::string why_not_;
};

/// The critical errors ("Xid") of one GPU from here on; of those before nobody tells.
class XidWatch {
 public:
  /// `nvml` outlives it.
  XidWatch(const Nvml& nvml, const Gpu& gpu);
  ~XidWatch();
  XidWatch(const XidWatch&) = delete;
  XidWatch& operator=(const XidWatch&) = delete;

  /// Their numbers, those that came since the last call. Does not wait.
  std::vector<std::uint64_t> take();

 private:
  const Nvml& nvml_;
  nvmlEventSet_st* events_ = nullptr;
};

}  // namespace entrain::health
