#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/process.hpp"
#include "worker/collectives/mpi.hpp"
#include "worker/device/device.hpp"
#include "worker/device/gpu.hpp"

namespace entrain::worker {
namespace {

class CpuUpload final : public Upload {
 public:
  explicit CpuUpload(at::Tensor tensor) : tensor_(std::move(tensor)) {}
  at::Tensor tensor() override { return tensor_; }

 private:
  at::Tensor tensor_;
};

class CpuDevice final : public Device {
 public:
  at::Device tensors() const override { return at::kCPU; }
  const DeviceFacts& facts() const override { return facts_; }
  bool is_gpu() const override { return false; }
  at::Tensor host_buffer(at::IntArrayRef sizes, at::ScalarType type) override {
    return at::empty(sizes, type);
  }
  std::unique_ptr<Upload> start_upload(const at::Tensor& from) override {
    return std::make_unique<CpuUpload>(from);
  }
  void wait_uploads(const WaitCheck&) override {}
  void synchronize(const WaitCheck&) override {}

 private:
  DeviceFacts facts_;
};

[[noreturn]] void refuse(const std::string& why) {
  LaunchError error(why);
  error.set_on_all_ranks();
  throw error;
}

// The first rank's complaint that is not empty becomes everybody's.
void agree(MpiCollectives& host, const std::string& complaint) {
  const auto all = host.all_gather_text(complaint);
  for (int r = 0; r < host.size(); ++r)
    if (!all[r].empty()) refuse(cat("rank ", r, " cannot have a GPU: ", all[r]));
}

void require_own_gpu(MpiCollectives& host, const std::string& uuid) {
  const auto uuids = host.all_gather_text(uuid);
  std::map<std::string, int> owner;
  for (int r = 0; r < host.size(); ++r)
    if (const auto [first, fresh] = owner.emplace(uuids[r], r); !fresh)
      refuse(cat("ranks ", first->second, " and ", r, " would share one GPU (", uuids[r],
                 "); start one rank per GPU, or set run.device=cpu"));
}

}  // namespace

std::unique_ptr<Device> open_cpu() { return std::make_unique<CpuDevice>(); }

// A launcher that binds one GPU to each rank shows each of them one; otherwise rank i of a node takes its GPU i.
std::unique_ptr<Device> open_own_gpu(int local_rank, int local_size) {
  const GpusSeen seen = gpus_seen();
  if (seen.count == 0) throw LaunchError(seen.why_none);
  if (seen.count != 1 && seen.count < local_size)
    throw LaunchError(cat(host_name(), " has ", seen.count, " GPUs for ", local_size,
                          " ranks; start one rank per GPU, or set run.device=cpu"));
  return open_gpu(seen.count == 1 ? 0 : local_rank);
}

std::unique_ptr<Device> open_device(const std::string& wanted, MpiCollectives& host) {
  if (wanted == "cpu") return open_cpu();
  if (wanted == "auto" && host.all_reduce_max(gpus_seen().count) == 0) return open_cpu();
  std::unique_ptr<Device> gpu;
  std::string complaint;
  try {
    gpu = open_own_gpu(host.local_rank(), host.local_size());
  } catch (const LaunchError& e) {
    complaint = e.what();
  }
  agree(host, complaint);
  require_own_gpu(host, gpu->facts().uuid);
  return gpu;
}

}  // namespace entrain::worker
