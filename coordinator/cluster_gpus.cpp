#include "coordinator/cluster_gpus.hpp"

#include <algorithm>
#include <array>

namespace entrain::coordinator {
namespace {

// No figure here was measured with this program. H100: the 3,000 views/s of ResNet-50 at 224 px that fused norms and
// convolutions near their roof leave; stock ATen may be two times slower. A100: 1.8 times slower than H100, the ratio of
// published training times. H200 has the H100's cores; its faster memory is left out of account.
const std::array<GpuKind, 3> kGpus{
    {{"a100", 312e12, 0.13}, {"h100", 989e12, 0.075}, {"h200", 989e12, 0.075}}};

}  // namespace

const GpuKind* find_gpu(const std::string& name) {
  const auto found =
      std::find_if(kGpus.begin(), kGpus.end(), [&](const GpuKind& g) { return g.name == name; });
  return found == kGpus.end() ? nullptr : found;
}

std::vector<std::string> gpu_names() {
  std::vector<std::string> names;
  for (const GpuKind& gpu : kGpus) names.push_back(gpu.name);
  return names;
}

double assumed_views_per_s(const GpuKind& gpu, const std::string& precision, std::int64_t macs_per_view) {
  const double bf16 = gpu.peak_flops * gpu.utilisation / flops_per_view(macs_per_view);
  return precision == "bf16" ? bf16 : bf16 / kFp32Slowdown;
}

}  // namespace entrain::coordinator
