#pragma once
#include "configs/philox.hpp"
#include "configs/run_config.hpp"
#include "sharding/image_shape.hpp"
#include "worker/views/view_parameters.hpp"

namespace entrain::worker {

/// RandomResizedCrop of torchvision: the AREA is uniform in [min_area, max_area] of the image, the aspect
/// log-uniform in [3/4, 4/3]; ten tries, then the largest central crop whose aspect is within that range.
CropBox torchvision_crop(Draws& draws, const ViewSection& section, const sharding::ImageShape& shape);

/// sample_distorted_bounding_box of TensorFlow: the aspect is uniform in [3/4, 4/3], then the HEIGHT is uniform
/// between what the areas allow; crops below a tenth of the image are refused (min_object_covered), and
/// the last row and column of positions never occur. A hundred tries, then the whole image.
CropBox google_crop(Draws& draws, const ViewSection& section, const sharding::ImageShape& shape);

}  // namespace entrain::worker
