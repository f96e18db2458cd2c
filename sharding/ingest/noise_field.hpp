#pragma once
#include <cstdint>
#include <vector>

#include "configs/philox.hpp"

namespace entrain::sharding {

/// Smooth random values over the plane: independent draws in [-1, 1] on a square lattice of `cells` x `cells`
/// over [-1.2, 1.2]^2, interpolated with a cubic that has no slope at lattice points. Keyed, so the same anywhere.
class NoiseField {
 public:
  NoiseField(Draws draws, int cells);
  float at(float x, float y) const;

 private:
  int cells_;
  std::vector<float> lattice_;
};

}  // namespace entrain::sharding
