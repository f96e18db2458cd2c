#include "worker/models/network.hpp"

#include <ATen/ATen.h>

#include <filesystem>

#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/safetensors.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/models/init.hpp"

namespace entrain::worker {
namespace {

constexpr const char* kEncoder = "encoder.";
constexpr const char* kHead = "head.";

std::vector<TensorSpec> prefixed(const std::string& prefix, std::vector<TensorSpec> specs) {
  for (TensorSpec& spec : specs) spec.name = prefix + spec.name;
  return specs;
}

std::vector<TensorSpec> joined(std::vector<TensorSpec> a, const std::vector<TensorSpec>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

ContrastiveNetwork::ContrastiveNetwork(const ModelSection& model, std::int64_t in_channels,
                                       std::uint64_t seed, const Residence& residence)
    : arch(bit_architecture(model.name, in_channels)),
      parameters(joined(prefixed(kEncoder, bit_tensors(arch)),
                        prefixed(kHead, projection_head_tensors(model, arch.feature_width()))),
                 at::kFloat),
      buffers(prefixed(kHead, projection_head_buffers(model, arch.feature_width())), at::kFloat),
      encoder(arch, parameters, kEncoder, residence.activations),
      head(model, arch.feature_width(), parameters, buffers, kHead) {
  initialise_encoder_(parameters, kEncoder, seed);
  initialise_head_(parameters, kHead, seed);
  for (const NamedTensor& buffer : buffers.all())  // running variances begin at 1, means at 0
    if (buffer.name.ends_with("running_var")) buffer.value.fill_(1);
  parameters.move_to(residence.device);
  buffers.move_to(residence.device);
}

ClassifierNetwork::ClassifierNetwork(const ModelSection& model, std::int64_t in_channels,
                                     std::int64_t num_classes, std::uint64_t seed, const Residence& residence)
    : arch(bit_architecture(model.name, in_channels)),
      parameters(joined(prefixed(kEncoder, bit_tensors(arch)),
                        {{"classifier.weight", {num_classes, arch.feature_width()}},
                         {"classifier.bias", {num_classes}}}),
                 at::kFloat),
      encoder(arch, parameters, kEncoder, residence.activations) {
  initialise_encoder_(parameters, kEncoder, seed);
  parameters.move_to(residence.device);
}

void load_encoder(ParameterSet& parameters, const std::string& from) {
  const bool is_file = std::filesystem::is_regular_file(from);
  const std::string prefix = is_file ? "" : kEncoder;
  const auto load = [&](const auto& reader) {
    for (const NamedTensor& tensor : parameters.all()) {
      if (tensor.name.rfind(kEncoder, 0) != 0) continue;
      reader.read(prefix + tensor.name.substr(std::string(kEncoder).size()), tensor.value);
    }
  };
  struct Source {
    const std::string& from;
    std::vector<checkpoint::TensorView> views;
    void read(const std::string& name, const at::Tensor& into) const {
      for (const checkpoint::TensorView& view : views) {
        if (view.name != name) continue;
        if (view.dtype != checkpoint::DType::kF32 || view.shape != into.sizes().vec())
          throw CheckpointError(cat(from, ": ", name, " is ", at::IntArrayRef(view.shape),
                                    ", the model wants float32 ", into.sizes(),
                                    "; model.name or the number of channels differs"));
        fill_from_bytes_(into, view.data);
        return;
      }
      throw CheckpointError(cat(from, ": has no tensor ", name, "; is it an encoder of another model.name?"));
    }
  };
  if (is_file) {
    const checkpoint::SafetensorsFile file(from);
    load(Source{from, file.tensors()});
  } else {
    const auto found = checkpoint::open_checkpoint(from);
    const checkpoint::CheckpointReader reader(found.dir);
    std::vector<checkpoint::TensorView> views;
    for (const std::string& name : reader.names()) views.push_back(reader.view(name));
    load(Source{found.dir, std::move(views)});
  }
}

}  // namespace entrain::worker
