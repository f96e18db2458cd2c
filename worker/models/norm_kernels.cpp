#include "worker/models/norm_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

// ENTRAIN_CLONES (CMakeLists.txt) compiles the functions that bear it once per instruction set, chosen at run time;
// empty where the compiler or the processor has no such thing. The templates are inlined into them.
#define ENTRAIN_INLINE __attribute__((always_inline)) inline

namespace entrain::worker::kernels {
namespace {

// Pixels summed in T before they go into a double: keeps the error of long sums at that of short ones.
constexpr std::int64_t kBlock = 32;

// Sum of term(i) for i < n: 16 sums side by side for the vector unit, into a double every kBlock of them.
template <typename T, typename Term>
ENTRAIN_INLINE double sum_of(std::int64_t n, const Term& term) {
  constexpr std::int64_t kLanes = 16;
  double total = 0;
  std::int64_t i = 0;
  while (i + kLanes <= n) {
    T lanes[kLanes] = {};
    for (std::int64_t b = 0; b < kBlock && i + kLanes <= n; ++b, i += kLanes)
      for (std::int64_t j = 0; j < kLanes; ++j) lanes[j] += term(i + j);
    for (const T lane : lanes) total += static_cast<double>(lane);
  }
  for (; i < n; ++i) total += static_cast<double>(term(i));
  return total;
}

// [rows, columns] -> [columns, rows]
template <typename T>
ENTRAIN_INLINE void transpose(const T* __restrict from, std::int64_t rows, std::int64_t columns,
                              T* __restrict to) {
  for (std::int64_t c = 0; c < columns; ++c)
    for (std::int64_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * columns + c];
}

template <typename T>
ENTRAIN_INLINE void standardise_filters(const T* __restrict w, Filters f, T* __restrict what,
                                        T* __restrict r) {
  const std::int64_t n = f.in * f.taps;
  std::vector<T> centred(n);
  for (std::int64_t o = 0; o < f.out; ++o, w += n, what += n) {
    const T mean =
        static_cast<T>(sum_of<T>(n, [&](std::int64_t i) { return w[i]; }) / static_cast<double>(n));
    const double squares = sum_of<T>(n, [&](std::int64_t i) { return (w[i] - mean) * (w[i] - mean); });
    const T scale = static_cast<T>(1 / std::sqrt(squares / static_cast<double>(n) + kStandardiseEps));
    T* __restrict in_order = f.taps == 1 ? what : centred.data();
    for (std::int64_t i = 0; i < n; ++i) in_order[i] = (w[i] - mean) * scale;
    if (f.taps > 1) transpose(centred.data(), f.in, f.taps, what);
    r[o] = scale;
  }
}

// dL/dw = r (d - mean(d) - what mean(d what))
template <typename T>
ENTRAIN_INLINE void standardise_filters_backward(const T* __restrict what, const T* __restrict r, Filters f,
                                                 T* __restrict d) {
  const std::int64_t n = f.in * f.taps;
  std::vector<T> row(n);
  T* __restrict dw = row.data();
  for (std::int64_t o = 0; o < f.out; ++o, what += n, d += n) {
    const T mean =
        static_cast<T>(sum_of<T>(n, [&](std::int64_t i) { return d[i]; }) / static_cast<double>(n));
    const T along =
        static_cast<T>(sum_of<T>(n, [&](std::int64_t i) { return d[i] * what[i]; }) / static_cast<double>(n));
    for (std::int64_t i = 0; i < n; ++i) dw[i] = r[o] * (d[i] - mean - what[i] * along);
    transpose(dw, f.taps, f.in, d);
  }
}

// sums[c] += sum over pixels of term(pixel, channel).
template <typename T, typename Term>
ENTRAIN_INLINE void sum_over_pixels(std::int64_t pixels, std::int64_t channels, T* block, double* sums,
                                    const Term& term) {
  for (std::int64_t first = 0; first < pixels; first += kBlock) {
    const std::int64_t last = std::min(first + kBlock, pixels);
    for (std::int64_t c = 0; c < channels; ++c) block[c] = term(first, c);
    for (std::int64_t p = first + 1; p < last; ++p)
      for (std::int64_t c = 0; c < channels; ++c) block[c] += term(p, c);
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(block[c]);
  }
}

template <typename T>
ENTRAIN_INLINE void statistics(const T* __restrict x, Extent e, T* __restrict mean, T* __restrict rstd) {
  const std::int64_t C = e.channels, per_group = C / kGroups;
  const double count = static_cast<double>(e.pixels * per_group);
  std::vector<T> block(C), center(C);
  std::vector<double> sums(C);
  T* __restrict blk = block.data();
  T* __restrict mid = center.data();
  for (std::int64_t n = 0; n < e.samples; ++n, x += e.pixels * C, mean += kGroups, rstd += kGroups) {
    const auto group_sum = [&](std::int64_t g) {
      double s = 0;
      for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c) s += sums[c];
      return s;
    };
    std::fill(sums.begin(), sums.end(), 0.0);
    sum_over_pixels<T>(e.pixels, C, blk, sums.data(),
                       [&](std::int64_t p, std::int64_t c) { return x[p * C + c]; });
    for (std::int64_t g = 0; g < kGroups; ++g) {
      mean[g] = static_cast<T>(group_sum(g) / count);
      std::fill_n(mid + g * per_group, per_group, mean[g]);
    }
    std::fill(sums.begin(), sums.end(), 0.0);
    sum_over_pixels<T>(e.pixels, C, blk, sums.data(), [&](std::int64_t p, std::int64_t c) {
      const T off = x[p * C + c] - mid[c];
      return off * off;
    });
    for (std::int64_t g = 0; g < kGroups; ++g)
      rstd[g] = static_cast<T>(1 / std::sqrt(group_sum(g) / count + kGroupNormEps));
  }
}

template <typename T>
ENTRAIN_INLINE void forward(const T* __restrict x, Extent e, const T* __restrict mean,
                            const T* __restrict rstd, const T* __restrict gamma, const T* __restrict beta,
                            T* __restrict y) {
  const std::int64_t C = e.channels, per_group = C / kGroups;
  std::vector<T> scales(C), shifts(C);
  T* __restrict scale = scales.data();
  T* __restrict shift = shifts.data();
  for (std::int64_t n = 0; n < e.samples; ++n, mean += kGroups, rstd += kGroups) {
    for (std::int64_t c = 0; c < C; ++c) {
      scale[c] = gamma[c] * rstd[c / per_group];
      shift[c] = beta[c] - mean[c / per_group] * scale[c];
    }
    for (std::int64_t p = 0; p < e.pixels; ++p, x += C, y += C)
      for (std::int64_t c = 0; c < C; ++c) {
        const T v = x[c] * scale[c] + shift[c];
        y[c] = v < 0 ? T(0) : v;
      }
  }
}

// With g = dL/dy where y > 0 and xhat = (x - mean) rstd, over the m elements of a group:
// dL/dx = rstd (gamma g - mean(gamma g) - xhat mean(gamma g xhat)); dgamma = sum g xhat, dbeta = sum g.
template <typename T>
ENTRAIN_INLINE void backward(const T* __restrict x, const T* __restrict y, Extent e, const T* __restrict mean,
                             const T* __restrict rstd, const T* __restrict gamma,
                             const T* __restrict residual, T* __restrict d, T* __restrict dgamma,
                             T* __restrict dbeta) {
  const std::int64_t C = e.channels, per_group = C / kGroups;
  const double count = static_cast<double>(e.pixels * per_group);
  std::vector<T> scratch(6 * C);
  T* __restrict block = scratch.data(), * __restrict mid = block + C, * __restrict inv = mid + C;
  T* __restrict of_g = inv + C, * __restrict of_x = of_g + C, * __restrict constant = of_x + C;
  std::vector<double> sum_g(C), sum_gx(C), total_g(C), total_gx(C);
  for (std::int64_t n = 0; n < e.samples; ++n, mean += kGroups, rstd += kGroups) {
    for (std::int64_t c = 0; c < C; ++c) {
      mid[c] = mean[c / per_group];
      inv[c] = rstd[c / per_group];
    }
    std::fill(sum_g.begin(), sum_g.end(), 0.0);
    std::fill(sum_gx.begin(), sum_gx.end(), 0.0);
    sum_over_pixels<T>(e.pixels, C, block, sum_g.data(), [&](std::int64_t p, std::int64_t c) {
      return y[p * C + c] > 0 ? d[p * C + c] : T(0);
    });
    sum_over_pixels<T>(e.pixels, C, block, sum_gx.data(), [&](std::int64_t p, std::int64_t c) {
      return y[p * C + c] > 0 ? d[p * C + c] * ((x[p * C + c] - mid[c]) * inv[c]) : T(0);
    });
    for (std::int64_t g = 0; g < kGroups; ++g) {
      double s1 = 0, s2 = 0;
      for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        total_g[c] += sum_g[c];
        total_gx[c] += sum_gx[c];
        s1 += static_cast<double>(gamma[c]) * sum_g[c];
        s2 += static_cast<double>(gamma[c]) * sum_gx[c];
      }
      const double r = static_cast<double>(rstd[g]), slope = -r * r * s2 / count;
      for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        of_g[c] = gamma[c] * rstd[g];
        of_x[c] = static_cast<T>(slope);
        constant[c] = static_cast<T>(-r * s1 / count);
      }
    }
    for (std::int64_t p = 0; p < e.pixels; ++p, x += C, y += C, d += C) {
      if (residual != nullptr) {
        for (std::int64_t c = 0; c < C; ++c)
          d[c] =
              residual[c] + ((y[c] > 0 ? d[c] * of_g[c] : T(0)) + ((x[c] - mid[c]) * of_x[c] + constant[c]));
        residual += C;
      } else {
        for (std::int64_t c = 0; c < C; ++c)
          d[c] = (y[c] > 0 ? d[c] * of_g[c] : T(0)) + ((x[c] - mid[c]) * of_x[c] + constant[c]);
      }
    }
  }
  for (std::int64_t c = 0; c < C; ++c) {
    dgamma[c] = static_cast<T>(total_gx[c]);
    dbeta[c] = static_cast<T>(total_g[c]);
  }
}

template <typename T>
ENTRAIN_INLINE void pool(const T* __restrict x, Images i, T* __restrict y, std::uint8_t* __restrict from) {
  const std::int64_t C = i.channels, rows = (i.height - 1) / 2 + 1, columns = (i.width - 1) / 2 + 1;
  for (std::int64_t n = 0; n < i.samples; ++n, x += i.height * i.width * C)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t q = 0; q < columns; ++q, y += C, from += C)
        for (std::uint8_t tap = 0; tap < 9; ++tap) {
          const std::int64_t row = 2 * r - 1 + tap / 3, column = 2 * q - 1 + tap % 3;
          const bool inside = row >= 0 && row < i.height && column >= 0 && column < i.width;
          const T* __restrict in = x + (inside ? (row * i.width + column) * C : 0);
          for (std::int64_t c = 0; c < C; ++c) {
            const T v = inside ? in[c] : T(0);
            const bool larger = tap == 0 || v > y[c] || v != v;
            y[c] = larger ? v : y[c];
            from[c] = larger ? tap : from[c];
          }
        }
}

template <typename T>
ENTRAIN_INLINE void pool_backward(const T* __restrict dy, const std::uint8_t* __restrict from, Images i,
                                  T* __restrict dx) {
  const std::int64_t C = i.channels, rows = (i.height - 1) / 2 + 1, columns = (i.width - 1) / 2 + 1;
  std::fill_n(dx, i.samples * i.height * i.width * C, T(0));
  for (std::int64_t n = 0; n < i.samples; ++n, dx += i.height * i.width * C)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t q = 0; q < columns; ++q, dy += C, from += C)
        for (std::uint8_t tap = 0; tap < 9; ++tap) {
          const std::int64_t row = 2 * r - 1 + tap / 3, column = 2 * q - 1 + tap % 3;
          if (row < 0 || row >= i.height || column < 0 || column >= i.width) continue;
          T* __restrict out = dx + (row * i.width + column) * C;
          for (std::int64_t c = 0; c < C; ++c) out[c] += from[c] == tap ? dy[c] : T(0);
        }
}

}  // namespace

ENTRAIN_CLONES void standardise(const float* w, Filters f, float* what, float* r) {
  standardise_filters(w, f, what, r);
}
ENTRAIN_CLONES void standardise(const double* w, Filters f, double* what, double* r) {
  standardise_filters(w, f, what, r);
}
ENTRAIN_CLONES void standardise_backward(const float* what, const float* r, Filters f, float* d) {
  standardise_filters_backward(what, r, f, d);
}
ENTRAIN_CLONES void standardise_backward(const double* what, const double* r, Filters f, double* d) {
  standardise_filters_backward(what, r, f, d);
}
ENTRAIN_CLONES void group_statistics(const float* x, Extent e, float* mean, float* rstd) {
  statistics(x, e, mean, rstd);
}
ENTRAIN_CLONES void group_statistics(const double* x, Extent e, double* mean, double* rstd) {
  statistics(x, e, mean, rstd);
}
ENTRAIN_CLONES void norm_relu(const float* x, Extent e, const float* mean, const float* rstd,
                              const float* gamma, const float* beta, float* y) {
  forward(x, e, mean, rstd, gamma, beta, y);
}
ENTRAIN_CLONES void norm_relu(const double* x, Extent e, const double* mean, const double* rstd,
                              const double* gamma, const double* beta, double* y) {
  forward(x, e, mean, rstd, gamma, beta, y);
}
ENTRAIN_CLONES void norm_relu_backward(const float* x, const float* y, Extent e, const float* mean,
                                       const float* rstd, const float* gamma, const float* residual, float* d,
                                       float* dgamma, float* dbeta) {
  backward(x, y, e, mean, rstd, gamma, residual, d, dgamma, dbeta);
}
ENTRAIN_CLONES void norm_relu_backward(const double* x, const double* y, Extent e, const double* mean,
                                       const double* rstd, const double* gamma, const double* residual,
                                       double* d, double* dgamma, double* dbeta) {
  backward(x, y, e, mean, rstd, gamma, residual, d, dgamma, dbeta);
}
ENTRAIN_CLONES void zero_padded_max_pool(const float* x, Images i, float* y, std::uint8_t* from) {
  pool(x, i, y, from);
}
ENTRAIN_CLONES void zero_padded_max_pool(const double* x, Images i, double* y, std::uint8_t* from) {
  pool(x, i, y, from);
}
ENTRAIN_CLONES void zero_padded_max_pool_backward(const float* dy, const std::uint8_t* from, Images i,
                                                  float* dx) {
  pool_backward(dy, from, i, dx);
}
ENTRAIN_CLONES void zero_padded_max_pool_backward(const double* dy, const std::uint8_t* from, Images i,
                                                  double* dx) {
  pool_backward(dy, from, i, dx);
}

}  // namespace entrain::worker::kernels
