#pragma once
#include <cstddef>
#include <cstdint>

// The inner loops of a view. kernels.cpp is compiled once per instruction set (CMakeLists.txt) without fused
// multiply-add and without reordering of sums, so every variant gives the same bits. This header uses no
// inline functions of the standard library: the linker could keep the AVX-512 copy of one for everybody.
namespace entrain::worker {

/// One axis of a resampling, as in taps.hpp.
struct TapsView {
  const std::int32_t* first;
  const std::int32_t* count;
  const float* weights;
  std::int32_t stride;
};

/// How stored values become [0, 1]: value * scale + offset, then clamped if `clamp`.
struct ValueMap {
  float scale = 1, offset = 0;
  bool clamp = false;
};

/// Rows computed at a time by resample(); row_block needs kBlockRows * width * channels floats, and so on.
inline constexpr int kBlockRows = 16;

struct ResampleJob {
  const void* source;        ///< first value of the crop; rows are interleaved (HWC)
  std::ptrdiff_t row_pitch;  ///< values from one source row to the next
  int width, channels;       ///< of the crop
  int side;                  ///< of the output
  TapsView rows, columns;
  ValueMap map;
  float* row_block;     ///< scratch, kBlockRows * width * channels
  float* turned_block;  ///< scratch, the same
  float* column_block;  ///< scratch, kBlockRows * side
  float* out;           ///< planar channels x side x side
};

/// Copies an image to float, clamp((value - low) / range, 0, 1), with a border of zeros: one pixel before and two
/// behind each row and column, so that bilinear sampling needs no bounds checks.
struct PadJob {
  const void* source;
  int height, width, channels;
  float low, range;
  float* padded;  ///< (height + 3) x (width + 3) x channels
};

struct RotateJob {
  const float* padded;  ///< as PadJob makes it
  int height, width, channels;
  int top, left, rows, columns;  ///< the part of the rotated image that is wanted
  float cosine, sine;            ///< of the angle, counter-clockwise
  float* out;                    ///< rows x columns x channels
};

struct BlurJob {
  const float* plane;    ///< side rows of `pitch` floats
  std::ptrdiff_t pitch;  ///< a multiple of kBlockRows, at least side
  int side, radius;
  const float* weights;     ///< radius + 1: the centre, then one side of a symmetric kernel
  const float* zero_row;    ///< pitch zeros to pad with; null: reflect
  const float** row_table;  ///< scratch, 2 * radius + 1
  float* padded_row;        ///< scratch, pitch + 2 * radius + kBlockRows
  float* out;               ///< side x side; receives 2 * blurred - 1
};

struct ViewKernels {
  const char* name;
  void (*resample_u8)(const ResampleJob&);
  void (*resample_u16)(const ResampleJob&);
  void (*resample_f32)(const ResampleJob&);
  void (*pad_u8)(const PadJob&);
  void (*pad_u16)(const PadJob&);
  void (*pad_f32)(const PadJob&);
  void (*rotate)(const RotateJob&);
  void (*affine_clamp)(float* x, std::size_t n, float scale,
                       float bias);  ///< x := clamp(x * scale + bias, 0, 1)
  void (*blend_gray)(float* r, float* g, float* b, std::size_t n, float factor);  ///< saturation, torchvision
  void (*scale_saturation)(float* r, float* g, float* b, std::size_t n, float factor);  ///< saturation in HSV
  void (*shift_hue)(float* r, float* g, float* b, std::size_t n, float turns);
  void (*power)(float* x, std::size_t n, float exponent);  ///< x in [0, 1]
  void (*to_gray)(float* r, float* g, float* b, std::size_t n);
  void (*normalise)(float* x, std::size_t n);  ///< x := 2x - 1
  double (*sum)(const float* x, std::size_t n);
  void (*blur)(const BlurJob&);
};

extern const ViewKernels kKernelsBaseline, kKernelsAvx2, kKernelsAvx512;

/// The variants that this processor can run, the fastest first; ends with a null.
const ViewKernels* const* usable_kernels();

}  // namespace entrain::worker
