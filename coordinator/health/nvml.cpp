#include "coordinator/health/nvml.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>

#include "configs/cat.hpp"

// NVML's ABI, as far as it is used: names, numbers and structures are those of its public documentation.
extern "C" {
struct nvmlUtilization_st {
  unsigned int gpu, memory;  // per cent
};
struct nvmlMemory_st {
  unsigned long long total, free, used;
};
struct nvmlEventData_st {
  nvmlDevice_st* device;
  unsigned long long type, data;
  unsigned int gpu_instance, compute_instance;
};
}

namespace entrain::health {
namespace {

constexpr int kSuccess = 0;
constexpr int kTemperatureOfGpu = 0, kClockOfMultiprocessors = 1, kUncorrected = 1, kSinceDriverLoad = 0;
constexpr unsigned long long kXidEvent = 0x8;
constexpr unsigned int kTextBytes = 96;

}  // namespace

// Null: this driver has no such function.
struct Nvml::Calls {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  const char* (*error_string)(int) = nullptr;
  int (*driver_version)(char*, unsigned int) = nullptr;
  int (*cuda_version)(int*) = nullptr;
  int (*count)(unsigned int*) = nullptr;
  int (*by_index)(unsigned int, nvmlDevice_st**) = nullptr;
  int (*by_uuid)(const char*, nvmlDevice_st**) = nullptr;
  int (*name)(nvmlDevice_st*, char*, unsigned int) = nullptr;
  int (*uuid)(nvmlDevice_st*, char*, unsigned int) = nullptr;
  int (*index)(nvmlDevice_st*, unsigned int*) = nullptr;
  int (*utilization)(nvmlDevice_st*, nvmlUtilization_st*) = nullptr;
  int (*memory)(nvmlDevice_st*, nvmlMemory_st*) = nullptr;
  int (*temperature)(nvmlDevice_st*, int, unsigned int*) = nullptr;
  int (*power)(nvmlDevice_st*, unsigned int*) = nullptr;
  int (*energy)(nvmlDevice_st*, unsigned long long*) = nullptr;
  int (*clock)(nvmlDevice_st*, int, unsigned int*) = nullptr;
  int (*most_clock)(nvmlDevice_st*, int, unsigned int*) = nullptr;
  int (*slowdown)(nvmlDevice_st*, unsigned long long*) = nullptr;
  int (*ecc_mode)(nvmlDevice_st*, int*, int*) = nullptr;
  int (*ecc_errors)(nvmlDevice_st*, int, int, unsigned long long*) = nullptr;
  int (*events_create)(nvmlEventSet_st**) = nullptr;
  int (*events_register)(nvmlDevice_st*, unsigned long long, nvmlEventSet_st*) = nullptr;
  int (*events_wait)(nvmlEventSet_st*, nvmlEventData_st*, unsigned int) = nullptr;
  int (*events_free)(nvmlEventSet_st*) = nullptr;

  explicit Calls(void* handle);
  template <typename Function>
  void find(Function*& function, const char* symbol) {
    function = reinterpret_cast<Function*>(::dlsym(library, symbol));
  }
};

Nvml::Calls::Calls(void* handle) : library(handle) {
  find(init, "nvmlInit_v2");
  find(shutdown, "nvmlShutdown");
  find(error_string, "nvmlErrorString");
  find(driver_version, "nvmlSystemGetDriverVersion");
  find(cuda_version, "nvmlSystemGetCudaDriverVersion_v2");
  find(count, "nvmlDeviceGetCount_v2");
  find(by_index, "nvmlDeviceGetHandleByIndex_v2");
  find(by_uuid, "nvmlDeviceGetHandleByUUID");
  find(name, "nvmlDeviceGetName");
  find(uuid, "nvmlDeviceGetUUID");
  find(index, "nvmlDeviceGetIndex");
  find(utilization, "nvmlDeviceGetUtilizationRates");
  find(memory, "nvmlDeviceGetMemoryInfo");
  find(temperature, "nvmlDeviceGetTemperature");
  find(power, "nvmlDeviceGetPowerUsage");
  find(energy, "nvmlDeviceGetTotalEnergyConsumption");
  find(clock, "nvmlDeviceGetClockInfo");
  find(most_clock, "nvmlDeviceGetMaxClockInfo");
  find(slowdown, "nvmlDeviceGetCurrentClocksThrottleReasons");
  find(ecc_mode, "nvmlDeviceGetEccMode");
  find(ecc_errors, "nvmlDeviceGetTotalEccErrors");
  find(events_create, "nvmlEventSetCreate");
  find(events_register, "nvmlDeviceRegisterEvents");
  find(events_wait, "nvmlEventSetWait_v2");
  find(events_free, "nvmlEventSetFree");
}

namespace {

// Whether the driver has the function and it succeeds.
template <typename... Parameters, typename... Arguments>
bool asked(int (*function)(Parameters...), Arguments... arguments) {
  return function != nullptr && function(arguments...) == kSuccess;
}

template <typename... Parameters, typename... Arguments>
std::string text_of(int (*function)(Parameters...), Arguments... arguments) {
  std::array<char, kTextBytes> text{};
  if (!asked(function, arguments..., text.data(), kTextBytes)) return "";
  text.back() = '\0';
  return text.data();
}

}  // namespace

bool has_library(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle != nullptr) ::dlclose(handle);
  return handle != nullptr;
}

Nvml::Nvml(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) {
    why_not_ = cat("no ", library, " is here, which comes with NVIDIA's driver");
    return;
  }
  auto calls = std::make_unique<Calls>(handle);
  const int code = calls->init == nullptr || calls->shutdown == nullptr ? -1 : calls->init();
  if (code == kSuccess) {
    calls_ = std::move(calls);
    return;
  }
  why_not_ =
      code == -1
          ? cat(library, " is not NVIDIA's management library, or too old a one")
          : cat(library, " does not start: ", calls->error_string != nullptr ? calls->error_string(code) : "",
                " (", code, ')');
  ::dlclose(handle);
}

Nvml::~Nvml() {
  if (!calls_) return;
  calls_->shutdown();
  ::dlclose(calls_->library);
}

std::string Nvml::driver_version() const { return calls_ ? text_of(calls_->driver_version) : ""; }

std::optional<int> Nvml::cuda_version() const {
  int version = 0;
  if (!calls_ || !asked(calls_->cuda_version, &version)) return std::nullopt;
  return version;
}

int Nvml::count() const {
  unsigned int count = 0;
  return calls_ && asked(calls_->count, &count) ? static_cast<int>(count) : 0;
}

std::vector<Gpu> Nvml::gpus() const {
  std::vector<Gpu> out;
  for (int i = 0; i < count(); ++i)
    if (nvmlDevice_st* device = nullptr; asked(calls_->by_index, static_cast<unsigned int>(i), &device))
      out.push_back(Gpu(*this, device));
  return out;
}

std::optional<Gpu> Nvml::gpu_of(const std::string& uuid) const {
  nvmlDevice_st* device = nullptr;
  if (!calls_ || !asked(calls_->by_uuid, uuid.c_str(), &device)) return std::nullopt;
  return Gpu(*this, device);
}

std::string Gpu::name() const { return text_of(nvml_->calls_->name, device_); }
std::string Gpu::uuid() const { return text_of(nvml_->calls_->uuid, device_); }

int Gpu::index() const {
  unsigned int index = 0;
  return asked(nvml_->calls_->index, device_, &index) ? static_cast<int>(index) : -1;
}

GpuLoad Gpu::load() const {
  const auto& calls = *nvml_->calls_;
  GpuLoad load;
  if (nvmlUtilization_st rates{}; asked(calls.utilization, device_, &rates))
    load.utilization = std::min(rates.gpu, 100U) / 100.0;
  if (nvmlMemory_st memory{}; asked(calls.memory, device_, &memory))
    load.memory_bytes = static_cast<double>(memory.used);
  if (unsigned int celsius = 0; asked(calls.temperature, device_, kTemperatureOfGpu, &celsius))
    load.temperature_celsius = celsius;
  if (unsigned int milliwatts = 0; asked(calls.power, device_, &milliwatts))
    load.power_watts = milliwatts / 1e3;
  if (unsigned long long millijoules = 0; asked(calls.energy, device_, &millijoules))
    load.energy_joules = std::min(static_cast<double>(millijoules) / 1e3, kMostOfAnything);
  return load;
}

std::optional<double> Gpu::memory_bytes() const {
  nvmlMemory_st memory{};
  if (!asked(nvml_->calls_->memory, device_, &memory)) return std::nullopt;
  return static_cast<double>(memory.total);
}

std::optional<double> Gpu::clock_mhz() const {
  unsigned int mhz = 0;
  if (!asked(nvml_->calls_->clock, device_, kClockOfMultiprocessors, &mhz)) return std::nullopt;
  return mhz;
}

std::optional<double> Gpu::most_clock_mhz() const {
  unsigned int mhz = 0;
  if (!asked(nvml_->calls_->most_clock, device_, kClockOfMultiprocessors, &mhz)) return std::nullopt;
  return mhz;
}

std::optional<std::uint64_t> Gpu::slowdown() const {
  unsigned long long bits = 0;
  if (!asked(nvml_->calls_->slowdown, device_, &bits)) return std::nullopt;
  return bits;
}

std::optional<bool> Gpu::ecc_is_on() const {
  int now = 0, after_reboot = 0;
  if (!asked(nvml_->calls_->ecc_mode, device_, &now, &after_reboot)) return std::nullopt;
  return now != 0;
}

std::optional<std::uint64_t> Gpu::uncorrected_errors() const {
  unsigned long long count = 0;
  if (!asked(nvml_->calls_->ecc_errors, device_, kUncorrected, kSinceDriverLoad, &count)) return std::nullopt;
  return count;
}

XidWatch::XidWatch(const Nvml& nvml, const Gpu& gpu) : nvml_(nvml) {
  const auto& calls = *nvml.calls_;
  if (!asked(calls.events_create, &events_)) {
    events_ = nullptr;
  } else if (!asked(calls.events_register, gpu.device_, kXidEvent, events_)) {
    asked(calls.events_free, events_);
    events_ = nullptr;
  }
}

XidWatch::~XidWatch() {
  if (events_ != nullptr) asked(nvml_.calls_->events_free, events_);
}

std::vector<std::uint64_t> XidWatch::take() {
  constexpr std::size_t kMost = 64;  // a broken GPU may have them without end
  std::vector<std::uint64_t> numbers;
  nvmlEventData_st event{};
  while (events_ != nullptr && numbers.size() < kMost &&
         asked(nvml_.calls_->events_wait, events_, &event, 0U))
    if ((event.type & kXidEvent) != 0) numbers.push_back(event.data);
  return numbers;
}

}  // namespace entrain::health
