#pragma once
#include <cstddef>
#include <vector>

#include "configs/run_config.hpp"
#include "sharding/image_shape.hpp"
#include "worker/views/kernels.hpp"
#include "worker/views/taps.hpp"
#include "worker/views/view_parameters.hpp"

namespace entrain::worker {

/// Turns one image and drawn parameters into one view. Holds the scratch memory of one thread: make one
/// per lane thread; rendering allocates nothing. The bits do not depend on the processor (kernels.hpp).
///
/// profile torchvision (transforms.v2 of 0.28 on float tensors in [0, 1]; equal within 1e-5):
///   equalize -> rotate (bilinear, zeros) -> resized_crop (bilinear, antialias) -> flips -> jitter in drawn order,
///   clamped to [0, 1] after each, contrast about the mean of grey -> gamma -> gray -> Gaussian blur (reflect)
/// profile google (google-research/simclr data_util.py with TensorFlow 2's resize): bicubic without antialias,
///   contrast about each channel's mean, saturation in HSV, blur padded with zeros.
class ViewRenderer {
 public:
  /// Values are mapped from [window_low, window_high] to [0, 1] and clamped there; both 0: the type's range
  /// (u8 0..255, u16 0..65535, f32 0..1; value_window.hpp looks at a corpus' values). Throws ConfigError for an
  /// unknown profile, a window whose low is not below its high, or a number of channels other than 1 and 3.
  ViewRenderer(const ViewSection& section, const sharding::ImageShape& shape, double window_low,
               double window_high);
  /// The same with a chosen variant of the kernels (tests compare them).
  ViewRenderer(const ViewSection& section, const sharding::ImageShape& shape, double window_low,
               double window_high, const ViewKernels& kernels);

  /// One view: planar [channels, crop_pixels, crop_pixels] in [-1, 1], (x - 0.5) / 0.5.
  void render(const std::byte* image_HWC, const ViewParameters& view, float* out_CPP);
  /// The whole image, resized (antialiased bilinear in both profiles) and normalised: for evaluation and features.
  void render_plain(const std::byte* image_HWC, float* out_CPP);

  std::int64_t out_values() const { return shape_.channels * side_ * side_; }
  std::int64_t side() const { return side_; }

 private:
  struct Source {  // where the crop's values come from: the image itself or a float copy
    const void* first;
    std::int64_t row_pitch;
    sharding::ElementType type;
    ValueMap map;
  };
  Source plain_source(const std::byte* image, const CropBox& crop) const;
  Source prepared_source(const std::byte* image, const ViewParameters& view);
  void resample(const Source& source, const CropBox& crop, bool flip_x, bool flip_y, bool bicubic,
                float* out);
  void colour(const ViewParameters& view, bool normalise, float* out);
  void apply(int op, const ViewParameters& view, const double* means, float* const* planes,
             std::size_t n) const;
  void blur(float sigma, float* out);

  sharding::ImageShape shape_;
  std::int64_t side_;
  bool google_;
  double low_ = 0, high_ = 1;
  ValueMap map_;
  const ViewKernels* kernels_;
  Taps rows_, columns_;
  std::vector<float> padded_, rotated_;
  std::vector<float> row_block_, turned_block_, column_block_;
  std::vector<float> plane_, padded_row_, zero_row_, blur_weights_;
  std::vector<const float*> row_table_;
};

/// Taps on either side of the centre of the blur: torchvision's users pass the odd size at or above a tenth of
/// the side, google takes half a tenth to either side; both give 11 at 224 px and 4 at 96 px.
std::int64_t blur_radius(std::int64_t side);

}  // namespace entrain::worker
