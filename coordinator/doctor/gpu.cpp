#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "coordinator/doctor/finding.hpp"
#include "coordinator/health/nvml.hpp"
#include "coordinator/health/slowdown.hpp"
#include "slurm/commands.hpp"

namespace entrain::doctor {
namespace {

using Grade = Finding::Grade;
using health::Gpu;
using health::Nvml;
constexpr double kStartSeconds = 60;
constexpr double kMuchMemory = 0.05;  // of all that a GPU has, in use before a run begins

std::string gigabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", bytes / 1e9);
  return text;
}

std::string known(const std::optional<double>& value, const char* unit) {
  return value ? cat(", ", std::lround(*value), ' ', unit) : "";
}

// Of a clock that changes the hardware may say for a moment that it is cut.
std::uint64_t slowdown_that_stays(const Gpu& gpu) {
  std::uint64_t bits = gpu.slowdown().value_or(0);
  for (int look = 0; look < 3 && (bits & (health::kBrokenClocks | health::kSoftwareThermalSlowdown)) != 0;
       ++look) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bits &= gpu.slowdown().value_or(0);
  }
  return bits;
}

std::string description(const Gpu& gpu) {
  const health::GpuLoad load = gpu.load();
  std::string text = cat("GPU ", gpu.index(), ": ", gpu.name());
  if (const auto memory = gpu.memory_bytes())
    text += cat(", ", gigabytes(load.memory_bytes.value_or(0)), " of ", gigabytes(*memory), " in use");
  text += known(load.temperature_celsius, "C") + known(load.power_watts, "W") + known(gpu.clock_mhz(), "MHz");
  if (const auto ecc = gpu.ecc_is_on()) text += *ecc ? ", ECC on" : ", ECC off";
  return text;
}

// The worst of what is wrong with it, or that nothing is.
Finding look_at(const Gpu& gpu) {
  const std::string what = description(gpu);
  if (const auto errors = gpu.uncorrected_errors().value_or(0); errors > 0)
    return {Grade::kBad, "gpu", cat(what, "; ", errors, " memory errors that ECC could not correct"),
            "reset it (nvidia-smi -r); if they come again, have it replaced"};
  const std::uint64_t slow = slowdown_that_stays(gpu);
  if (const auto why = health::slowdown_text(slow & health::kBrokenClocks); !why.empty())
    return {Grade::kBad, "gpu", cat(what, "; its clocks are low: ", why),
            "look at its cooling and its power supply (nvidia-smi -q -d PERFORMANCE)"};
  if (const auto why = health::slowdown_text(slow); !why.empty())
    return {Grade::kMind, "gpu", cat(what, "; its clocks are low: ", why),
            "look at its cooling; all other GPUs of a run will wait for it"};
  const double used = gpu.load().memory_bytes.value_or(0), all = gpu.memory_bytes().value_or(0);
  if (used > kMuchMemory * all)
    return {Grade::kMind, "gpu", what, "somebody uses it (nvidia-smi lists who); a run wants it for itself"};
  if (gpu.ecc_is_on() == false)
    return {Grade::kMind, "gpu", what,
            "errors of its memory are not seen; turn ECC on (nvidia-smi -e 1, then a restart) unless you "
            "know why not"};
  return {Grade::kFine, "gpu", what, ""};
}

std::string version_text(int version) { return cat(version / 1000, '.', version % 1000 / 10); }

Finding look_at_driver(const Nvml& nvml, const std::string& cuda, const std::string& nccl) {
  const std::string build = cat("this build has CUDA ", cuda, " and NCCL ", nccl);
  const int knows = nvml.cuda_version().value_or(0);
  const std::string what = cat("driver ", nvml.driver_version(),
                               knows > 0 ? cat(" knows CUDA ", version_text(knows)) : "", "; ", build);
  // A driver knows the programs of its own major version, and of those before.
  if (knows > 0 && knows / 1000 < std::atoi(cuda.c_str()))
    return {Grade::kBad, "gpu", what, cat("update the driver to one that knows CUDA ", cuda)};
  return {Grade::kFine, "gpu", what, ""};
}

Findings without_cuda(const std::string& driver_version, const std::string& library) {
  std::ifstream in(driver_version);
  std::string version;
  const bool driver = in.is_open();
  std::getline(in, version);
  if (!driver && !health::has_library(library))
    return {{Grade::kFine, "gpu",
             "this build has no CUDA; it computes on CPUs, and no NVIDIA driver is seen here", ""}};
  return {{Grade::kMind, "gpu",
           cat("an NVIDIA driver is here (", version.empty() ? library : version,
               "), but this build has no CUDA and cannot use its GPUs"),
           "build it with `make cuda`; until then ask for nodes without GPUs, which would stand idle"}};
}

}  // namespace

Findings look_at_gpu(const std::string& worker, const std::string& driver_version,
                     const std::string& library) {
  const auto versions = checkpoint::last_object(slurm::run_command({worker, "versions"}, kStartSeconds).out);
  const std::string cuda = versions.is_object() ? versions.value("cuda", "") : "";
  if (cuda.empty()) return without_cuda(driver_version, library);
  const Nvml nvml(library);
  if (!nvml.why_not().empty())
    return {
        {Grade::kMind, "gpu", cat("this build has CUDA ", cuda, ", but ", nvml.why_not()),
         "a run here computes on CPUs (run.device: auto); on a machine with GPUs, install NVIDIA's driver"}};
  Findings out{look_at_driver(nvml, cuda, versions.value("nccl", ""))};
  const auto gpus = nvml.gpus();
  for (const Gpu& gpu : gpus) out.push_back(look_at(gpu));
  if (const int lost = nvml.count() - static_cast<int>(gpus.size()); lost > 0)
    out.push_back({Grade::kBad, "gpu", cat(lost, " of ", nvml.count(), " GPUs do not answer"),
                   "dmesg says why (Xid); restart the machine, and have them replaced if it comes again"});
  if (gpus.empty() && nvml.count() == 0)
    out.push_back({Grade::kMind, "gpu", "the driver sees no GPU",
                   "is it a login node? In a job, ask for GPUs (--gpus-per-node)"});
  return out;
}

}  // namespace entrain::doctor
