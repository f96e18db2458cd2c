#pragma once
#include <cstdint>

// The inner loops of weight standardisation, GroupNorm + ReLU and the stem's pool, on plain memory: activations are
// [sample, pixel, channel]. Compiled for several instruction sets at once (CMakeLists.txt); one thread.
namespace entrain::worker::kernels {

constexpr std::int64_t kGroups = 32;  ///< of every GroupNorm in BiT
constexpr double kGroupNormEps = 1e-5;

struct Extent {
  std::int64_t samples, pixels, channels;
};

/// A kernel: `out` filters of in x taps numbers.
struct Filters {
  std::int64_t out, in, taps;
};
constexpr double kStandardiseEps = 1e-10;

/// w [out, in, taps] -> what [out, taps, in] = (w - mean) * r, r = 1 / sqrt(biased variance + 1e-10), per filter.
void standardise(const float* w, Filters f, float* what, float* r);
void standardise(const double* w, Filters f, double* what, double* r);

/// d: dL/dwhat [out, taps, in] becomes dL/dw [out, in, taps], in place.
void standardise_backward(const float* what, const float* r, Filters f, float* d);
void standardise_backward(const double* what, const double* r, Filters f, double* d);

/// Mean and 1 / sqrt(biased variance + eps) of each sample's 32 groups of neighbouring channels.
void group_statistics(const float* x, Extent e, float* mean, float* rstd);
void group_statistics(const double* x, Extent e, double* mean, double* rstd);

/// y = max(0, gamma (x - mean) rstd + beta). A NaN stays one.
void norm_relu(const float* x, Extent e, const float* mean, const float* rstd, const float* gamma,
               const float* beta, float* y);
void norm_relu(const double* x, Extent e, const double* mean, const double* rstd, const double* gamma,
               const double* beta, double* y);

/// Of dL/dy in `d` makes dL/dx, in place; `residual`, if not null, is added to it. `y` is what norm_relu gave. dgamma
/// and dbeta are overwritten.
void norm_relu_backward(const float* x, const float* y, Extent e, const float* mean, const float* rstd,
                        const float* gamma, const float* residual, float* d, float* dgamma, float* dbeta);
void norm_relu_backward(const double* x, const double* y, Extent e, const double* mean, const double* rstd,
                        const double* gamma, const double* residual, double* d, double* dgamma,
                        double* dbeta);

/// A batch of images, channels last.
struct Images {
  std::int64_t samples, height, width, channels;
};

/// Zeros one pixel wide around x, then the largest of each 3x3 window at stride 2, (H - 1) / 2 + 1 high. `from` keeps
/// which of the nine it was (the first, if equal; 0 to 8 in row order).
void zero_padded_max_pool(const float* x, Images i, float* y, std::uint8_t* from);
void zero_padded_max_pool(const double* x, Images i, double* y, std::uint8_t* from);

/// dx is overwritten. What came from the padding is dropped.
void zero_padded_max_pool_backward(const float* dy, const std::uint8_t* from, Images i, float* dx);
void zero_padded_max_pool_backward(const double* dy, const std::uint8_t* from, Images i, double* dx);

}  // namespace entrain::worker::kernels
