#pragma once
#include <cstdint>
#include <vector>

#include "sharding/ingest/phantom.hpp"

namespace entrain::sharding {

/// A square picture of attenuation values.
struct Plane {
  std::int64_t px = 0;
  std::vector<float> values;
  float& at(std::int64_t x, std::int64_t y) { return values[static_cast<std::size_t>(y * px + x)]; }
  float at(std::int64_t x, std::int64_t y) const { return values[static_cast<std::size_t>(y * px + x)]; }
};

/// What the detector and the development of one scanner do to an attenuation picture: blur, grain, contrast curve;
/// values in [0, 1]. Depends on (seed, row), not on the label.
Plane expose(const Plane& attenuation, const PhantomRow& row, std::uint64_t seed);

/// Collimator blades and the side marker, in place, on 8-bit values.
void add_marks(std::vector<std::uint8_t>& grey, std::int64_t px, const PhantomRow& row, std::uint64_t seed);

}  // namespace entrain::sharding
