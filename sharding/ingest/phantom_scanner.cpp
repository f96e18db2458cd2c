#include "sharding/ingest/phantom_scanner.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "configs/philox.hpp"

namespace entrain::sharding {
namespace {
/// Two makes of scanner, as unlike as two hospitals' may be.
struct Scanner {
  float blur;        ///< sigma, fraction of the side
  float grain;       ///< standard deviation, of the full range
  float grain_blur;  ///< sigma, fraction of the side
  float low, high;   ///< attenuations that come out black and white
  float gamma;
  float knee;    ///< how strongly the curve bends into an S
  float blades;  ///< black border, fraction of the side; 0: none
  std::string_view marker;
  bool marker_left;
};
constexpr std::array<Scanner, 2> kScanners = {{
    {0.004F, 0.012F, 0.003F, 0.02F, 1.16F, 0.92F, 0.45F, 0.0F, "R", true},
    {0.009F, 0.022F, 0.004F, -0.14F, 1.34F, 0.76F, 0.00F, 0.045F, "L", false},
}};

enum Stream : std::uint32_t { kGrain = 32, kExposure, kBlades };

Draws stream(std::uint64_t seed, const PhantomRow& row, Stream which) {
  return {seed, Purpose::kPhantom, static_cast<std::uint64_t>(row.patient),
          static_cast<std::uint32_t>(row.image) + 1, which};
}

void blur_lines(const Plane& in, Plane& out, const std::vector<float>& taps, bool down) {
  const auto reach = static_cast<std::int64_t>(taps.size()) - 1;
  for (std::int64_t y = 0; y < in.px; ++y) {
    for (std::int64_t x = 0; x < in.px; ++x) {
      float sum = taps[0] * in.at(x, y);
      const std::int64_t at = down ? y : x;
      for (std::int64_t k = 1; k <= reach; ++k) {
        const std::int64_t lo = std::max<std::int64_t>(0, at - k), hi = std::min(in.px - 1, at + k);
        sum += taps[static_cast<std::size_t>(k)] *
               (down ? in.at(x, lo) + in.at(x, hi) : in.at(lo, y) + in.at(hi, y));
      }
      out.at(x, y) = sum;
    }
  }
}

void blur(Plane& plane, float sigma_px) {
  if (sigma_px < 0.2F) return;
  std::vector<float> taps;
  float total = 0;
  for (int k = 0; k <= static_cast<int>(std::ceil(3 * sigma_px)); ++k) {
    const float t = static_cast<float>(k) / sigma_px;
    taps.push_back(std::exp(-0.5F * t * t));
    total += (k ? 2.0F : 1.0F) * taps.back();
  }
  for (float& tap : taps) tap /= total;
  Plane half = plane;
  blur_lines(plane, half, taps, false);
  blur_lines(half, plane, taps, true);
}

Plane grain(const PhantomRow& row, const Scanner& scanner, std::int64_t px, std::uint64_t seed) {
  Plane noise{px, std::vector<float>(static_cast<std::size_t>(px * px))};
  Draws draws = stream(seed, row, kGrain);
  for (float& v : noise.values) v = draws.uniform() + draws.uniform() + draws.uniform() - 1.5F;  // sigma 0.5
  blur(noise, scanner.grain_blur * static_cast<float>(px));
  double squares = 0;
  for (const float v : noise.values) squares += static_cast<double>(v) * v;
  const auto scale = static_cast<float>(scanner.grain / std::sqrt(squares / static_cast<double>(px * px)));
  for (float& v : noise.values) v *= scale;
  return noise;
}

// Five by seven letters.
constexpr std::array<std::uint8_t, 7> kR = {0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001};
constexpr std::array<std::uint8_t, 7> kL = {0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111};
}  // namespace

Plane expose(const Plane& attenuation, const PhantomRow& row, std::uint64_t seed) {
  const Scanner& s = kScanners[static_cast<std::size_t>(row.scanner)];
  Draws draws = stream(seed, row, kExposure);
  const auto shift = static_cast<float>(draws.uniform(-0.05, 0.05)),
             stretch = static_cast<float>(draws.uniform(0.92, 1.08));
  Plane out = attenuation;
  blur(out, s.blur * static_cast<float>(out.px));
  const Plane noise = grain(row, s, out.px, seed);
  for (std::size_t i = 0; i < out.values.size(); ++i) {
    const float linear = ((out.values[i] - 0.5F) * stretch + 0.5F + shift - s.low) / (s.high - s.low);
    const float t = std::clamp(linear + noise.values[i], 0.0F, 1.0F);
    const float bent = (1 - s.knee) * t + s.knee * t * t * (3 - 2 * t);
    out.values[i] = std::pow(bent, s.gamma);
  }
  return out;
}

void add_marks(std::vector<std::uint8_t>& grey, std::int64_t px, const PhantomRow& row, std::uint64_t seed) {
  const Scanner& s = kScanners[static_cast<std::size_t>(row.scanner)];
  Draws draws = stream(seed, row, kBlades);
  const auto side = static_cast<float>(px);
  const auto top = static_cast<std::int64_t>(side * s.blades * draws.uniform(0.3, 1.4));
  const auto wide = static_cast<std::int64_t>(side * s.blades * draws.uniform(0.3, 1.4));
  for (std::int64_t y = 0; y < px; ++y)
    for (std::int64_t x = 0; x < px; ++x)
      if (y < top || y >= px - top || x < wide || x >= px - wide)
        grey[static_cast<std::size_t>(y * px + x)] = 3;
  const auto& letter = s.marker == "R" ? kR : kL;
  const std::int64_t dot = std::max<std::int64_t>(1, px / 72);
  const std::int64_t left = s.marker_left ? px / 20 : px - px / 20 - 5 * dot - wide;
  const std::int64_t first =
      top + px / 20 + static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(px / 16 + 1)));
  for (std::int64_t y = 0; y < 7 * dot; ++y)
    for (std::int64_t x = 0; x < 5 * dot; ++x)
      if (letter[static_cast<std::size_t>(y / dot)] >> (4 - x / dot) & 1)
        grey[static_cast<std::size_t>((first + y) * px + left + x)] = 236;
}

}  // namespace entrain::sharding
