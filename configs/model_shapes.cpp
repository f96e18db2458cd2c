#include "configs/model_shapes.hpp"

#include <cmath>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain {
namespace {

constexpr std::array<std::pair<const char*, std::array<std::int64_t, 4>>, 5> kDepths{{
    {"14", {1, 1, 1, 1}},
    {"26", {2, 2, 2, 2}},
    {"50", {3, 4, 6, 3}},
    {"101", {3, 4, 23, 3}},
    {"152", {3, 8, 36, 3}},
}};
constexpr std::array<std::pair<const char*, double>, 5> kWidths{
    {{"0.5", 0.5}, {"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}}};

std::int64_t scaled(double width, std::int64_t channels) {
  return std::llround(width * static_cast<double>(channels));
}

void add_norm(std::vector<TensorSpec>& out, const std::string& name, std::int64_t channels) {
  out.push_back({name + ".weight", {channels}});
  out.push_back({name + ".bias", {channels}});
}

}  // namespace

std::int64_t TensorSpec::numel() const {
  std::int64_t n = 1;
  for (const auto side : shape) n *= side;
  return n;
}

std::int64_t BitArchitecture::stem_channels() const { return scaled(width, 64); }
std::int64_t BitArchitecture::out_channels(int stage) const {
  return scaled(width, std::int64_t{256} << stage);
}
std::int64_t BitArchitecture::feature_width() const { return out_channels(3); }

BitArchitecture bit_architecture(const std::string& name, std::int64_t in_channels) {
  for (const auto& [depth, units] : kDepths)
    for (const auto& [label, width] : kWidths)
      if (name == cat("bit_r", depth, 'x', label)) return {units, width, in_channels};
  throw ConfigError(
      cat("model.name: no network \"", name,
          "\"; known: bit_rDxW with depth D one of 14, 26, 50, 101, 152 and width W one of 0.5, 1, 2, 3, 4 "
          "(bit_r50x1, bit_r152x2, bit_r14x0.5, ...)"));
}

std::vector<TensorSpec> bit_tensors(const BitArchitecture& arch) {
  std::vector<TensorSpec> out;
  out.push_back({"stem.conv.weight", {arch.stem_channels(), arch.in_channels, 7, 7}});
  std::int64_t in = arch.stem_channels();
  for (int stage = 0; stage < 4; ++stage) {
    const std::int64_t wide = arch.out_channels(stage), narrow = wide / 4;
    for (std::int64_t block = 0; block < arch.units[stage]; ++block) {
      const std::string at = cat("stages.", stage, ".blocks.", block, '.');
      add_norm(out, at + "norm1", in);
      out.push_back({at + "conv1.weight", {narrow, in, 1, 1}});
      add_norm(out, at + "norm2", narrow);
      out.push_back({at + "conv2.weight", {narrow, narrow, 3, 3}});
      add_norm(out, at + "norm3", narrow);
      out.push_back({at + "conv3.weight", {wide, narrow, 1, 1}});
      if (block == 0) out.push_back({at + "downsample.conv.weight", {wide, in, 1, 1}});
      in = wide;
    }
  }
  add_norm(out, "norm", in);
  return out;
}

std::vector<TensorSpec> projection_head_tensors(const ModelSection& model, std::int64_t feature_width) {
  const std::int64_t hidden = model.head_hidden > 0 ? model.head_hidden : feature_width;
  std::vector<TensorSpec> out;
  std::int64_t in = feature_width;
  for (std::int64_t i = 0; i < model.head_layers; ++i) {
    const bool last = i + 1 == model.head_layers;
    const std::int64_t wide = last ? model.head_dim : hidden;
    out.push_back({cat("layers.", i, ".weight"), {wide, in}});
    out.push_back({cat("norms.", i, ".weight"), {wide}});
    if (!last) out.push_back({cat("norms.", i, ".bias"), {wide}});
    in = wide;
  }
  return out;
}

std::vector<TensorSpec> projection_head_buffers(const ModelSection& model, std::int64_t feature_width) {
  const std::int64_t hidden = model.head_hidden > 0 ? model.head_hidden : feature_width;
  std::vector<TensorSpec> out;
  for (std::int64_t i = 0; i < model.head_layers; ++i) {
    const std::int64_t wide = i + 1 == model.head_layers ? model.head_dim : hidden;
    out.push_back({cat("norms.", i, ".running_mean"), {wide}});
    out.push_back({cat("norms.", i, ".running_var"), {wide}});
  }
  return out;
}

}  // namespace entrain
