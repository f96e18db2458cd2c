#include "worker/views/kernels.hpp"

// Compiled with -DENTRAIN_KERNELS=<name of the table> and -DENTRAIN_LANES=<floats in a register>.
namespace entrain::worker {
namespace {

constexpr int kLanes = ENTRAIN_LANES;
constexpr int kParts = kBlockRows / kLanes;
typedef float Vector __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
typedef std::int32_t FourIndices __attribute__((vector_size(16)));

inline int smaller(int a, int b) { return a < b ? a : b; }
// A NaN becomes 0, so that one bad value cannot spread.
inline float clamp01(float x) {
  x = x > 0.0F ? x : 0.0F;
  return x < 1.0F ? x : 1.0F;
}

// to[column][row] := from[row][column]
void turn(const float* __restrict from, std::ptrdiff_t from_pitch, float* __restrict to,
          std::ptrdiff_t to_pitch, int rows, int columns) {
  int c = 0;
  for (; c + 4 <= columns; c += 4) {
    int r = 0;
    for (; r + 4 <= rows; r += 4) {
      const float* f = from + r * from_pitch + c;
      const Four a = *reinterpret_cast<const Four*>(f), b = *reinterpret_cast<const Four*>(f + from_pitch);
      const Four d = *reinterpret_cast<const Four*>(f + 2 * from_pitch);
      const Four e = *reinterpret_cast<const Four*>(f + 3 * from_pitch);
      const Four ab_low = __builtin_shuffle(a, b, FourIndices{0, 4, 1, 5});
      const Four ab_high = __builtin_shuffle(a, b, FourIndices{2, 6, 3, 7});
      const Four de_low = __builtin_shuffle(d, e, FourIndices{0, 4, 1, 5});
      const Four de_high = __builtin_shuffle(d, e, FourIndices{2, 6, 3, 7});
      float* t = to + c * to_pitch + r;
      *reinterpret_cast<Four*>(t) = __builtin_shuffle(ab_low, de_low, FourIndices{0, 1, 4, 5});
      *reinterpret_cast<Four*>(t + to_pitch) = __builtin_shuffle(ab_low, de_low, FourIndices{2, 3, 6, 7});
      *reinterpret_cast<Four*>(t + 2 * to_pitch) =
          __builtin_shuffle(ab_high, de_high, FourIndices{0, 1, 4, 5});
      *reinterpret_cast<Four*>(t + 3 * to_pitch) =
          __builtin_shuffle(ab_high, de_high, FourIndices{2, 3, 6, 7});
    }
    for (; r < rows; ++r)
      for (int k = 0; k < 4; ++k) to[(c + k) * to_pitch + r] = from[r * from_pitch + c + k];
  }
  for (; c < columns; ++c)
    for (int r = 0; r < rows; ++r) to[c * to_pitch + r] = from[r * from_pitch + c];
}

// One output row before its columns are resampled: the weighted sum of source rows, two at a time.
template <typename T, bool kClamp>
void blend_rows(const ResampleJob& job, int y, float* __restrict row) {
  const T* source = static_cast<const T*>(job.source) + job.rows.first[y] * job.row_pitch;
  const float* w = job.rows.weights + static_cast<std::ptrdiff_t>(y) * job.rows.stride;
  const int taps = job.rows.count[y], n = job.width * job.channels;
  const float scale = job.map.scale, offset = job.map.offset;
  const auto value = [scale, offset](T x, float weight) {
    if constexpr (kClamp) return clamp01(static_cast<float>(x) * scale + offset) * weight;
    return static_cast<float>(x) * weight;
  };
  for (int t = 0; t < taps; t += 2) {
    const bool pair = t + 1 < taps;
    const T* __restrict a = source + t * job.row_pitch;
    const T* __restrict b = pair ? a + job.row_pitch : a;
    const float fold = kClamp ? 1.0F : scale;  // without a clamp the scale goes into the weights
    const float wa = w[t] * fold, wb = pair ? w[t + 1] * fold : 0.0F;
    if (t == 0)
      for (int i = 0; i < n; ++i) row[i] = value(a[i], wa) + value(b[i], wb);
    else
      for (int i = 0; i < n; ++i) row[i] += value(a[i], wa) + value(b[i], wb);
  }
}

// One channel of kBlockRows rows, turned: the columns' taps read whole registers.
void blend_columns(const ResampleJob& job, int channel) {
  for (int x = 0; x < job.side; ++x) {
    const float* in = job.turned_block + (job.columns.first[x] * job.channels + channel) * kBlockRows;
    const float* w = job.columns.weights + static_cast<std::ptrdiff_t>(x) * job.columns.stride;
    const int taps = job.columns.count[x];
    Vector sum[kParts] = {};
    for (int t = 0; t < taps; ++t, in += job.channels * kBlockRows)
      for (int p = 0; p < kParts; ++p) sum[p] += w[t] * *reinterpret_cast<const Vector*>(in + p * kLanes);
    for (int p = 0; p < kParts; ++p)
      *reinterpret_cast<Vector*>(job.column_block + x * kBlockRows + p * kLanes) = sum[p];
  }
}

template <typename T, bool kClamp>
void resample_with(const ResampleJob& job) {
  const int n = job.width * job.channels, side = job.side;
  for (int y = 0; y < side; y += kBlockRows) {
    const int rows = smaller(kBlockRows, side - y);
    for (int r = 0; r < rows; ++r) blend_rows<T, kClamp>(job, y + r, job.row_block + r * n);
    turn(job.row_block, n, job.turned_block, kBlockRows, kBlockRows, n);
    for (int channel = 0; channel < job.channels; ++channel) {
      blend_columns(job, channel);
      turn(job.column_block, kBlockRows, job.out + (static_cast<std::ptrdiff_t>(channel) * side + y) * side,
           side, side, rows);
    }
  }
}

template <typename T>
void resample(const ResampleJob& job) {
  job.map.clamp ? resample_with<T, true>(job) : resample_with<T, false>(job);
}

// Values to [0, 1] inside a border of zeros. Divides, as the definition does: equalisation tells x from x + 1 ulp.
template <typename T>
void pad(const PadJob& job) {
  const int n = job.width * job.channels, pitch = (job.width + 3) * job.channels;
  const float low = job.low, range = job.range;
  for (int i = 0; i < pitch; ++i) job.padded[i] = 0;
  for (int y = 0; y < job.height; ++y) {
    const T* __restrict from = static_cast<const T*>(job.source) + y * static_cast<std::ptrdiff_t>(n);
    float* __restrict to = job.padded + (y + 1) * static_cast<std::ptrdiff_t>(pitch);
    for (int i = 0; i < job.channels; ++i) to[i] = 0;
    for (int i = 0; i < n; ++i) to[job.channels + i] = clamp01((static_cast<float>(from[i]) - low) / range);
    for (int i = n + job.channels; i < pitch; ++i) to[i] = 0;
  }
  float* const behind = job.padded + (job.height + 1) * static_cast<std::ptrdiff_t>(pitch);
  for (int i = 0; i < 2 * pitch; ++i) behind[i] = 0;
}

// Bilinear samples of the turned image; the border of zeros replaces every bounds check. Places first, then
// values, a few pixels at a time: both loops vectorise.
template <int kChannels>
void rotate_channels(const RotateJob& job) {
  constexpr int kPixels = 64;
  int places[kPixels];
  float across[kPixels], down[kPixels];
  const float centre_x = 0.5F * static_cast<float>(job.width - 1),
              centre_y = 0.5F * static_cast<float>(job.height - 1);
  const float last_x = static_cast<float>(job.width), last_y = static_cast<float>(job.height);
  const float cosine = job.cosine, sine = job.sine;
  const int pitch = (job.width + 3) * kChannels, left = job.left;
  const float* __restrict in = job.padded;
  for (int r = 0; r < job.rows; ++r) {
    float* __restrict out = job.out + static_cast<std::ptrdiff_t>(r) * job.columns * kChannels;
    const float dy = static_cast<float>(job.top + r) - centre_y;
    for (int c = 0; c < job.columns; c += kPixels, out += kPixels * kChannels) {
      const int n = smaller(kPixels, job.columns - c);
      for (int i = 0; i < n; ++i) {
        const float dx = static_cast<float>(left + c + i) - centre_x;
        float x = dx * cosine - dy * sine + centre_x, y = dx * sine + dy * cosine + centre_y;
        x = x > -1.0F ? x : -1.0F;
        x = x < last_x ? x : last_x;
        y = y > -1.0F ? y : -1.0F;
        y = y < last_y ? y : last_y;
        const int column = static_cast<int>(x + 1.0F),
                  row = static_cast<int>(y + 1.0F);  // in the padded image
        across[i] = x - static_cast<float>(column - 1);
        down[i] = y - static_cast<float>(row - 1);
        places[i] = row * pitch + column * kChannels;
      }
      for (int k = 0; k < kChannels; ++k)
        for (int i = 0; i < n; ++i) {
          const float* at = in + places[i] + k;
          const float above = at[0] * (1.0F - across[i]) + at[kChannels] * across[i];
          const float below = at[pitch] * (1.0F - across[i]) + at[pitch + kChannels] * across[i];
          out[i * kChannels + k] = above * (1.0F - down[i]) + below * down[i];
        }
    }
  }
}

void rotate(const RotateJob& job) { job.channels == 1 ? rotate_channels<1>(job) : rotate_channels<3>(job); }

void affine_clamp(float* x, std::size_t n, float scale, float bias) {
  for (std::size_t i = 0; i < n; ++i) x[i] = clamp01(x[i] * scale + bias);
}

inline float gray_of(float r, float g, float b) { return 0.2989F * r + 0.587F * g + 0.114F * b; }

void blend_gray(float* __restrict r, float* __restrict g, float* __restrict b, std::size_t n, float factor) {
  for (std::size_t i = 0; i < n; ++i) {
    const float rest = (1.0F - factor) * gray_of(r[i], g[i], b[i]);
    r[i] = clamp01(r[i] * factor + rest);
    g[i] = clamp01(g[i] * factor + rest);
    b[i] = clamp01(b[i] * factor + rest);
  }
}

void to_gray(float* __restrict r, float* __restrict g, float* __restrict b, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) r[i] = g[i] = b[i] = gray_of(r[i], g[i], b[i]);
}

inline float larger_of(float a, float b) { return a > b ? a : b; }
inline float smaller_of(float a, float b) { return a < b ? a : b; }

// S := min(S * factor, 1) at the same H and V. With V = max and S = (max - min) / max every channel moves
// towards or away from max by the same ratio, so no hue is needed.
void scale_saturation(float* __restrict r, float* __restrict g, float* __restrict b, std::size_t n,
                      float factor) {
  for (std::size_t i = 0; i < n; ++i) {
    const float high = larger_of(r[i], larger_of(g[i], b[i])), low = smaller_of(r[i], smaller_of(g[i], b[i]));
    const float range = high - low;
    const float full = larger_of(high, 0.0F) / (range > 0.0F ? range : 1.0F);  // the ratio at which S is 1
    const float ratio = smaller_of(factor, full);
    r[i] = clamp01(high - (high - r[i]) * ratio);
    g[i] = clamp01(high - (high - g[i]) * ratio);
    b[i] = clamp01(high - (high - b[i]) * ratio);
  }
}

// One channel of HSV -> RGB: `sextant` is the hue in sixths of a turn plus 5, 3, 1 for red, green, blue.
inline float channel_of(float sextant, float high, float range) {
  sextant = sextant >= 6.0F ? sextant - 6.0F : sextant;
  const float ramp = smaller_of(sextant, 4.0F - sextant);
  return clamp01(high - range * clamp01(ramp));
}

void shift_hue(float* __restrict r, float* __restrict g, float* __restrict b, std::size_t n, float turns) {
  const float shift = 6.0F * turns;
  for (std::size_t i = 0; i < n; ++i) {
    const float x = r[i], y = g[i], z = b[i];
    const float high = larger_of(x, larger_of(y, z)), low = smaller_of(x, smaller_of(y, z));
    const float range = high - low;
    const float inverse = 1.0F / (range > 0.0F ? range : 1.0F);
    const float from_green = (z - x) * inverse + 2.0F, from_blue = (x - y) * inverse + 4.0F;
    float hue = high == y ? from_green : from_blue;
    hue = high == x ? (y - z) * inverse : hue;
    hue += shift;  // in [-4, 8]
    hue = hue < 0.0F ? hue + 6.0F : hue;
    hue = hue >= 6.0F ? hue - 6.0F : hue;
    r[i] = channel_of(hue + 5.0F, high, range);
    g[i] = channel_of(hue + 3.0F, high, range);
    b[i] = channel_of(hue + 1.0F, high, range);
  }
}

// x^e = 2^(e log2 x) for x in [0, 1]; error below 1e-6 for e up to 8. log2 by the series of artanh on a
// mantissa in [sqrt 1/2, sqrt 2), 2^f by Taylor on [-1/2, 1/2].
void power(float* x, std::size_t n, float exponent) {
  for (std::size_t i = 0; i < n; ++i) {
    const float v =
        larger_of(x[i], 1.2e-38F);  // the least normal number: 0 becomes 4e-8 at an exponent of 0.2
    const std::int32_t bits = __builtin_bit_cast(std::int32_t, v);
    const std::int32_t whole = (bits - 0x3f3504f3) >> 23;
    const float mantissa = __builtin_bit_cast(float, bits - (whole << 23));
    const float t = (mantissa - 1.0F) / (mantissa + 1.0F), t2 = t * t;
    const float series = 1.0F + t2 * (1.0F / 3 + t2 * (1.0F / 5 + t2 * (1.0F / 7 + t2 * (1.0F / 9))));
    const float log2 = static_cast<float>(whole) + 2.88539008F * t * series;
    const float y = larger_of(exponent * log2, -126.0F);
    const std::int32_t nearest = static_cast<std::int32_t>(y - 0.5F);
    const float z = (y - static_cast<float>(nearest)) * 0.693147181F;
    const float two_f =
        1.0F +
        z * (1.0F + z * (0.5F + z * (1.0F / 6 + z * (1.0F / 24 + z * (1.0F / 120 + z * (1.0F / 720))))));
    const float result = two_f * __builtin_bit_cast(float, (nearest + 127) << 23);
    x[i] = smaller_of(result, 1.0F);
  }
}

void normalise(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x[i] = 2.0F * x[i] - 1.0F;
}

// Always sixteen partial sums, whatever the registers hold: the same bits in every variant.
double sum(const float* x, std::size_t n) {
  Vector parts[kParts] = {};
  std::size_t i = 0;
  for (; i + kBlockRows <= n; i += kBlockRows)
    for (int p = 0; p < kParts; ++p) parts[p] += *reinterpret_cast<const Vector*>(x + i + p * kLanes);
  double total = 0;
  for (int p = 0; p < kParts; ++p)
    for (int lane = 0; lane < kLanes; ++lane) total += static_cast<double>(parts[p][lane]);
  for (; i < n; ++i) total += static_cast<double>(x[i]);
  return total;
}

void blur_rows(const BlurJob& job, float* __restrict to) {
  const int radius = job.radius, side = job.side;
  for (int x = 0; x < side; x += kBlockRows) {
    Vector acc[kParts];
    for (int p = 0; p < kParts; ++p)
      acc[p] = job.weights[0] * *reinterpret_cast<const Vector*>(job.row_table[radius] + x + p * kLanes);
    for (int t = 1; t <= radius; ++t) {
      const float *above = job.row_table[radius - t] + x, *below = job.row_table[radius + t] + x;
      for (int p = 0; p < kParts; ++p)
        acc[p] += job.weights[t] * (*reinterpret_cast<const Vector*>(above + p * kLanes) +
                                    *reinterpret_cast<const Vector*>(below + p * kLanes));
    }
    for (int p = 0; p < kParts; ++p) *reinterpret_cast<Vector*>(to + x + p * kLanes) = acc[p];
  }
}

// `middle` points at column 0 of a row with `radius` valid values on both sides.
void blur_columns(const BlurJob& job, const float* middle, float* out) {
  const int radius = job.radius, side = job.side;
  int x = 0;
  for (; x + kBlockRows <= side; x += kBlockRows) {
    Vector acc[kParts];
    for (int p = 0; p < kParts; ++p)
      acc[p] = job.weights[0] * *reinterpret_cast<const Vector*>(middle + x + p * kLanes);
    for (int t = 1; t <= radius; ++t)
      for (int p = 0; p < kParts; ++p)
        acc[p] += job.weights[t] * (*reinterpret_cast<const Vector*>(middle + x - t + p * kLanes) +
                                    *reinterpret_cast<const Vector*>(middle + x + t + p * kLanes));
    for (int p = 0; p < kParts; ++p) *reinterpret_cast<Vector*>(out + x + p * kLanes) = 2.0F * acc[p] - 1.0F;
  }
  for (; x < side; ++x) {
    float acc = job.weights[0] * middle[x];
    for (int t = 1; t <= radius; ++t) acc += job.weights[t] * (middle[x - t] + middle[x + t]);
    out[x] = 2.0F * acc - 1.0F;
  }
}

inline int reflected(int i, int n) { return i < 0 ? -i : i >= n ? 2 * n - 2 - i : i; }

void blur(const BlurJob& job) {
  const int radius = job.radius, side = job.side;
  float* middle = job.padded_row + radius;
  for (int y = 0; y < side; ++y) {
    for (int t = -radius; t <= radius; ++t) {
      const bool outside = y + t < 0 || y + t >= side;
      job.row_table[radius + t] =
          job.zero_row && outside ? job.zero_row : job.plane + reflected(y + t, side) * job.pitch;
    }
    blur_rows(job, middle);
    for (int t = 1; t <= radius; ++t) {
      middle[-t] = job.zero_row ? 0.0F : middle[t];
      middle[side - 1 + t] = job.zero_row ? 0.0F : middle[side - 1 - t];
    }
    blur_columns(job, middle, job.out + static_cast<std::ptrdiff_t>(y) * side);
  }
}

}  // namespace

extern const ViewKernels ENTRAIN_KERNELS = {ENTRAIN_KERNELS_NAME,
                                            resample<std::uint8_t>,
                                            resample<std::uint16_t>,
                                            resample<float>,
                                            pad<std::uint8_t>,
                                            pad<std::uint16_t>,
                                            pad<float>,
                                            rotate,
                                            affine_clamp,
                                            blend_gray,
                                            scale_saturation,
                                            shift_hue,
                                            power,
                                            to_gray,
                                            normalise,
                                            sum,
                                            blur};

}  // namespace entrain::worker
