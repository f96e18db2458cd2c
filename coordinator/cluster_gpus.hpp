#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::coordinator {

/// What is assumed of a kind of GPU until somebody has measured it: peak of dense bf16 products by its data sheet, and
/// the share of it that a whole training step of a ResNet with GroupNorm reaches.
struct GpuKind {
  std::string name;
  double peak_flops, utilisation;
};

/// fp32 products (TF32) against bf16, of whole training steps (NVIDIA's published ResNet-50: 2.3 to 2.6).
constexpr double kFp32Slowdown = 2.4;

/// nullptr: nothing is assumed of it.
const GpuKind* find_gpu(const std::string& name);
std::vector<std::string> gpu_names();

/// Floating-point operations of a view, forward and backward, of `macs` multiply-adds forward.
constexpr double flops_per_view(std::int64_t macs) { return 6 * static_cast<double>(macs); }
double assumed_views_per_s(const GpuKind& gpu, const std::string& precision, std::int64_t macs_per_view);

}  // namespace entrain::coordinator
