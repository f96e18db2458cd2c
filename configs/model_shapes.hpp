#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "configs/run_config.hpp"

// The shapes of the networks, without LibTorch, so that `plan` can count what `pretrain` will allocate.
namespace entrain {

struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t numel() const;
};

/// BiT ResNet-v2 (Kolesnikov et al. 2020): bottleneck units per stage and a width factor.
struct BitArchitecture {
  std::array<std::int64_t, 4> units{};
  double width = 1;  ///< multiplies every channel count; 0.5 is the smallest that 32 groups allow
  std::int64_t in_channels = 3;

  std::int64_t stem_channels() const;          ///< 64 * width
  std::int64_t out_channels(int stage) const;  ///< 256 * width * 2^stage, stage 0..3
  std::int64_t feature_width() const;          ///< 2048 * width
};

/// "bit_r50x1" -> {3,4,6,3} x 1. Known: bit_r{14,26,50,101,152}x{0.5,1,2,3,4} (14 and 26 have 1 and 2 units
/// per stage). Throws ConfigError naming the known ones.
BitArchitecture bit_architecture(const std::string& name, std::int64_t in_channels);

/// Tensors of the encoder with timm's names (resnetv2_*_bit without head), in forward order.
std::vector<TensorSpec> bit_tensors(const BitArchitecture& arch);

/// Tensors of the projection head: layers.{i}.weight [out, in], norms.{i}.weight, norms.{i}.bias (none after
/// the last).
std::vector<TensorSpec> projection_head_tensors(const ModelSection& model, std::int64_t feature_width);
/// Its running statistics: norms.{i}.running_mean, norms.{i}.running_var.
std::vector<TensorSpec> projection_head_buffers(const ModelSection& model, std::int64_t feature_width);

}  // namespace entrain
