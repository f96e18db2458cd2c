#include "worker/preflight_gpu.hpp"

#include <ATen/ATen.h>

#include <chrono>
#include <future>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/sha256.hpp"
#include "coordinator/health/nvml.hpp"
#include "worker/device/device.hpp"
#include "worker/stages/gpu_modes.hpp"

namespace entrain::worker {
namespace {

using Clock = std::chrono::steady_clock;
using supervise::GpuProbe;
constexpr std::int64_t kSide = 2048;
constexpr std::chrono::seconds kPatience(20), kLoad(1);  // so long that clocks have settled

// Numbers in [-1, 1), of all bits of a float and the same on every machine.
at::Tensor numbers(Device& device, std::uint32_t seed) {
  const at::Tensor host = device.host_buffer({kSide, kSide}, at::kFloat);
  for (float& x : std::span(host.mutable_data_ptr<float>(), static_cast<std::size_t>(host.numel()))) {
    seed = seed * 1664525U + 1013904223U;
    x = static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31F;
  }
  return device.upload(host);
}

std::string digest_of(const at::Tensor& product) {
  const at::Tensor host = product.cpu().contiguous();
  Sha256 sum;
  sum.add({static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  return sum.hex();
}

void compute(Device& device, const std::optional<health::Gpu>& gpu, GpuProbe& probe) {
  const at::Tensor a = numbers(device, 1), b = numbers(device, 2);
  device.wait_uploads({});
  const at::Tensor first = at::mm(a, b);
  probe.digest = digest_of(first);
  std::uint64_t all_the_time = gpu ? ~std::uint64_t{0} : 0;
  const auto until = Clock::now() + kLoad;
  do {
    if (!at::equal(at::mm(a, b), first))
      throw CommError("it computes one product twice and the results differ");
    if (gpu) all_the_time &= gpu->slowdown().value_or(0);
  } while (Clock::now() < until);
  probe.slowdown = all_the_time;
}

GpuProbe tried(int rank, int local_rank, int local_size) {
  GpuProbe probe;
  probe.rank = rank;
  try {
    set_gpu_modes(/*strict=*/true);
    const auto device = open_own_gpu(local_rank, local_size);
    probe.name = device->facts().name;
    probe.uuid = device->facts().uuid;
    const health::Nvml nvml;
    const auto gpu = nvml.gpu_of(probe.uuid);
    std::optional<health::XidWatch> errors;
    if (gpu) errors.emplace(nvml, *gpu);
    compute(*device, gpu, probe);
    if (!gpu) return probe;
    probe.uncorrected = gpu->uncorrected_errors().value_or(0);
    probe.xids = errors->take();
  } catch (const std::exception& e) {
    const std::string what = e.what();
    probe.error = what.substr(0, what.find('\n'));
  }
  return probe;
}

}  // namespace

GpuProbe try_gpu(int rank, int local_rank, int local_size) {
  std::packaged_task<GpuProbe()> task([=] { return tried(rank, local_rank, local_size); });
  auto done = task.get_future();
  std::thread(std::move(task)).detach();
  if (done.wait_for(kPatience) == std::future_status::ready) return done.get();
  GpuProbe hangs;
  hangs.rank = rank;
  hangs.error =
      cat("a product of two ", kSide, " x ", kSide, " matrices is not done within ", kPatience.count(), " s");
  return hangs;
}

}  // namespace entrain::worker
