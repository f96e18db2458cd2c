#pragma once
#include <cstdint>
#include <vector>

#include "sharding/ingest/noise_field.hpp"

namespace entrain::sharding {

/// A point of the chest: x to the image's right, y down, both about [-1, 1] over the image.
struct Point {
  float x = 0, y = 0;
};

/// A piece of a lung vessel.
struct Vessel {
  Point from, to;
  float half_width = 0;
  float density = 0;
};

/// A cloud over part of a lung. Every patient has one: a healthy patient's is faint and smooth (overlying soft
/// tissue), that of a patient with the finding is dense and mottled (consolidation). One distribution of place and size.
struct Opacity {
  Point centre;
  float radius_x = 0, radius_y = 0, tilt = 0;
  float density = 0;  ///< of the finding
  float faint = 0;    ///< share of it that a healthy patient has
};

/// One patient's chest. Everything is drawn from (seed, patient), nothing from label or scanner.
struct Anatomy {
  Anatomy(std::uint64_t seed, std::int64_t patient);

  float chest_width, waist, apex, dome_right, dome_left, inner, softness_of_body;
  float heart_x, heart_y, heart_rx, heart_ry, knob, hilum, mediastinum;
  float rib_first, rib_gap, rib_slope, rib_drop, rib_density, clavicle_slope, spine_bend, breast, bubble;
  Opacity opacity;
  std::vector<Vessel> vessels;
  NoiseField tissue, marks, mottle, patches;

  /// How much of a point is lung: 0 to 1. `breath` moves the diaphragm.
  float lung(Point p, float breath) const;
  /// Attenuation along the ray through a point, without vessels and opacity; 0 is air.
  float density(Point p, float breath) const;
  /// Attenuation of the finding without texture, and its texture: -1 to 1.
  float opacity_at(Point p) const;
  float texture_at(Point p) const;

 private:
  float diaphragm(float side_x, float side, float breath) const;
  float heart(Point p) const;
  float bones(Point p) const;
  void grow_vessels(std::uint64_t seed, std::int64_t patient);
};

}  // namespace entrain::sharding
