#pragma once
#include "sharding/image_shape.hpp"

namespace entrain::worker {

/// Histogram equalisation in place, to 256 levels, of an image in [0, 1] padded as PadJob (kernels.hpp) makes it.
///   per_channel  torchvision's (Pillow's): each channel by its own histogram
///   otherwise    REMEDIS' released code: the histogram of grey * 255, lut = round((cdf - cdf_min) * 255 / (pixels - 1)),
///                the equalised grey copied to every channel
void equalize_padded(const sharding::ImageShape& shape, bool per_channel, float* padded);

}  // namespace entrain::worker
