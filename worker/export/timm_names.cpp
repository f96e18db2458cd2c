#include "worker/export/timm_names.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/model_shapes.hpp"

namespace entrain::worker {
namespace {

constexpr std::string_view kEncoder = "encoder.";

// timm registers these; smaller members of the family are made by its class.
constexpr std::array kRegistered{"50x1", "50x3", "101x1", "101x3", "152x2", "152x4"};

// "bit_r50x1" -> "50x1"
std::string size_of(const std::string& model) { return model.substr(std::string("bit_r").size()); }

std::string number(double width) {
  return width == std::floor(width) ? cat(static_cast<std::int64_t>(width)) : cat(width);
}

// A Python string literal.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "'";
}

}  // namespace

std::vector<checkpoint::TensorView> timm_tensors(const checkpoint::CheckpointReader& reader,
                                                 bool classifier) {
  std::vector<checkpoint::TensorView> tensors;
  for (const std::string& name : reader.names()) {
    if (!name.starts_with(kEncoder)) continue;
    checkpoint::TensorView tensor = reader.view(name);
    tensor.name = name.substr(kEncoder.size());
    tensors.push_back(std::move(tensor));
  }
  if (tensors.empty()) throw CheckpointError(cat(reader.dir(), ": holds no encoder"));
  if (!classifier) return tensors;
  if (!reader.has("classifier.weight"))
    throw CheckpointError(cat(reader.dir(),
                              ": has no classifier to export; leave --classifier out, or fine-tune first "
                              "(entrain finetune CONFIG init.from=...) and export that run"));
  checkpoint::TensorView weight = reader.view("classifier.weight"), bias = reader.view("classifier.bias");
  weight.name = "head.fc.weight";
  weight.shape.insert(weight.shape.end(), {1, 1});
  bias.name = "head.fc.bias";
  tensors.push_back(std::move(weight));
  tensors.push_back(std::move(bias));
  return tensors;
}

std::string timm_python(const ExportedModel& e) {
  const std::string size = size_of(e.model);
  if (std::find(kRegistered.begin(), kRegistered.end(), size) != kRegistered.end())
    return cat(
        "import timm\n"
        "model = timm.create_model('resnetv2_",
        size, "_bit', num_classes=", e.num_classes, ", in_chans=", e.in_channels,
        ", checkpoint_path=", quoted(e.path), ").eval()\n",
        "for m in model.modules():\n"
        "    if isinstance(m, timm.layers.StdConv2d): m.eps = 1e-10  # timm has 1e-8\n");
  const BitArchitecture arch = bit_architecture(e.model, e.in_channels);
  return cat(
      "from functools import partial\n"
      "from safetensors.torch import load_file\n"
      "from timm.layers import StdConv2d\n"
      "from timm.models.resnetv2 import ResNetV2\n"
      "model = ResNetV2([",
      arch.units[0], ", ", arch.units[1], ", ", arch.units[2], ", ", arch.units[3],
      "], width_factor=", number(arch.width), ", num_classes=", e.num_classes, ", in_chans=", e.in_channels,
      ", stem_type='fixed', conv_layer=partial(StdConv2d, eps=1e-10))  # timm's own models have eps 1e-8\n"
      "model.load_state_dict(load_file(",
      quoted(e.path),
      "))\n"
      "model.eval()\n");
}

}  // namespace entrain::worker
