#pragma once
#include <array>
#include <cstdint>

#include "configs/run_config.hpp"
#include "sharding/image_shape.hpp"

namespace entrain::worker {

/// Part of an image, source pixels.
struct CropBox {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const CropBox&) const = default;
};

/// The colour operations whose order is drawn; numbered as in torchvision's ColorJitter.
enum JitterOp { kBrightness = 0, kContrast = 1, kSaturation = 2, kHue = 3 };

/// All that is random about one view. Factors are drawn whether or not their operation is on.
struct ViewParameters {
  CropBox crop;
  bool flip_horizontal = false;
  bool flip_vertical = false;
  float rotation_degrees = 0;  ///< counter-clockwise
  bool equalize = false;
  bool jitter = false;  ///< whether the six fields below are applied
  std::array<int, 4> order = {kBrightness, kContrast, kSaturation, kHue};
  float brightness = 1, contrast = 1, saturation = 1;  ///< factors, at least 0
  float hue = 0;                                       ///< turns, -0.5 to 0.5
  float gamma = 1;                                     ///< exponent, applied after the four
  bool gray = false;
  float blur_sigma = 0;  ///< pixels of the view; 0: no blur
};

/// The parameters of one view: a pure function of its arguments, so the same on any rank, thread and
/// machine, in whatever order views are asked for. Every call consumes the same numbers in the same order
/// whatever is switched on; the tries of the crop come last and are numbered.
///   sample   number of the image in its corpus
///   view     0 or 1 of a pair; any number for a contact sheet
/// Crop rules: torchvision 0.28 RandomResizedCrop.get_params; google: TensorFlow's
/// sample_distorted_bounding_box as called by google-research/simclr data_util.py.
ViewParameters draw_view(const ViewSection& section, const sharding::ImageShape& shape, std::uint64_t seed,
                         std::int64_t epoch, std::uint64_t sample, int view);

/// Parameters that change nothing: the whole image, no flip, no colour, no blur.
ViewParameters plain_view(const sharding::ImageShape& shape);

/// The views of fine-tuning: the section's crop, flips and rotation without colour, blur or equalisation.
ViewSection finetune_views(const ViewSection& section);

}  // namespace entrain::worker
