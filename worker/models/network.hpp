#pragma once
#include <string>

#include "worker/models/encoder.hpp"
#include "worker/models/projection_head.hpp"

namespace entrain::worker {

/// Where a network lives, and what its encoder multiplies (Encoder). The first weights are drawn on the host, so they are the
/// same on every device.
struct Residence {
  at::Device device = at::kCPU;
  at::ScalarType activations = at::ScalarType::Undefined;
};

/// Encoder and projection head over one flat set of parameters ("encoder.*", "head.*"), initialised from
/// `seed`.
struct ContrastiveNetwork {
  ContrastiveNetwork(const ModelSection& model, std::int64_t in_channels, std::uint64_t seed,
                     const Residence& residence = {});
  ContrastiveNetwork(const ContrastiveNetwork&) = delete;
  ContrastiveNetwork& operator=(const ContrastiveNetwork&) = delete;

  BitArchitecture arch;
  ParameterSet parameters, buffers;
  Encoder encoder;
  ProjectionHead head;
};

/// Encoder and a linear classifier ("encoder.*", "classifier.weight" [K, F], "classifier.bias" [K], zeroed).
struct ClassifierNetwork {
  ClassifierNetwork(const ModelSection& model, std::int64_t in_channels, std::int64_t num_classes,
                    std::uint64_t seed, const Residence& residence = {});
  ClassifierNetwork(const ClassifierNetwork&) = delete;
  ClassifierNetwork& operator=(const ClassifierNetwork&) = delete;

  BitArchitecture arch;
  ParameterSet parameters;
  Encoder encoder;
  at::Tensor weight() const { return parameters["classifier.weight"]; }
  at::Tensor bias() const { return parameters["classifier.bias"]; }
};

/// Overwrites "encoder.*" of `parameters`: from a run directory's newest whole checkpoint, or from a
/// .safetensors file with timm names. Every tensor of the encoder must be there in its shape; others there
/// are not an error in a checkpoint, and one in a file but for head.fc.*. CheckpointError names the first
/// that does not fit.
void load_encoder(ParameterSet& parameters, const std::string& from);

}  // namespace entrain::worker
