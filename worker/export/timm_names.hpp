#pragma once
#include <string>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/safetensors.hpp"

namespace entrain::worker {

/// A checkpoint's encoder under timm's names (resnetv2_*_bit): "encoder." off; with `classifier` also head.fc, whose
/// weight is a 1x1 convolution [C, F, 1, 1] there. Views of the reader's memory. CheckpointError where there is no
/// encoder, or no classifier and one is wanted.
std::vector<checkpoint::TensorView> timm_tensors(const checkpoint::CheckpointReader& reader, bool classifier);

/// What a Python program must know to load such a file.
struct ExportedModel {
  std::string path;   ///< of the file
  std::string model;  ///< bit_r50x1
  std::int64_t in_channels = 3;
  std::int64_t num_classes = 0;  ///< 0: no classifier in the file
};

/// Python that makes the network in timm 1.0, loads the file strictly and sets StdConv2d.eps to BiT's 1e-10 (timm
/// has 1e-8). Prints nothing; ends with `model` in evaluation mode.
std::string timm_python(const ExportedModel& exported);

}  // namespace entrain::worker
