#pragma once
#include <cstddef>
#include <cstdint>

#include "sharding/image_shape.hpp"

namespace entrain::worker {

/// Copies an image to float in [0, 1] with a border of zeros, one pixel before and two behind each row and
/// column, so that bilinear sampling needs no bounds checks: (height + 3) x (width + 3) x channels.
/// Exactly clamp((value - low) / (high - low), 0, 1) in float arithmetic.
void pad_to_float(const std::byte* image_HWC, const sharding::ImageShape& shape, double low, double high,
                  float* padded);

/// Histogram equalisation in place of a padded image, to 256 levels.
///   per_channel  torchvision's (Pillow's): each channel by its own histogram
///   otherwise    REMEDIS' released code: the histogram of grey * 255, lut = round((cdf - cdf_min) * 255 / (pixels - 1)),
///                the equalised grey copied to every channel (DATA.md 6.3)
void equalize_padded(const sharding::ImageShape& shape, bool per_channel, float* padded);

}  // namespace entrain::worker
