#pragma once
#include <cstdint>
#include <vector>

namespace entrain::worker {

/// One axis of a resampling: output i is the sum over t < count[i] of weights[i * stride + t] * input[first[i] + t].
struct Taps {
  std::vector<std::int32_t> first, count;
  std::vector<float> weights;
  std::int32_t stride = 0;  ///< room for taps per output

  /// Room for any table with up to `longest` inputs and exactly `outputs` outputs, so that filling never allocates.
  void reserve(std::int64_t longest, std::int64_t outputs);
  /// Turns the axis around: output i becomes output n - 1 - i.
  void reverse();
};

/// Bilinear with antialias, as torch.nn.functional.interpolate(mode="bilinear", antialias=True): the tent is as
/// wide as the output's pixels where the image shrinks. Equal sizes give the identity.
void fill_antialiased(std::int64_t inputs, std::int64_t outputs, Taps& taps);

/// Keys' bicubic (a = -0.5) without antialias, as tf.image.resize(method="bicubic") of TensorFlow 2: half-pixel
/// centres, the fraction rounded to 1/1024, taps outside the image dropped and the others renormalised.
void fill_keys_bicubic(std::int64_t inputs, std::int64_t outputs, Taps& taps);

}  // namespace entrain::worker
