#include "sharding/ingest/phantom_anatomy.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace entrain::sharding {
namespace {
enum Stream : std::uint32_t { kShape = 1, kOpacity, kVessels, kTissue, kMarks, kMottle, kPatches };

Draws stream(std::uint64_t seed, std::int64_t patient, Stream which) {
  return {seed, Purpose::kPhantom, static_cast<std::uint64_t>(patient), 0, which};
}

float draw(Draws& d, double low, double high) { return static_cast<float>(d.uniform(low, high)); }

// 0 below -soft, 1 above soft, smooth between.
float edge(float distance, float soft) {
  const float t = std::clamp(0.5F + 0.5F * distance / soft, 0.0F, 1.0F);
  return t * t * (3 - 2 * t);
}
float bell(float distance, float width) {
  const float t = distance / width;
  return std::exp(-t * t);
}
// A band with brighter rims, as a bone's cortex gives.
float bone(float distance, float half_width) {
  const float t = std::abs(distance) / half_width;
  return edge(1 - t, 0.35F) * (0.7F + 0.3F * t * t);
}
float squared(float v) { return v * v; }
}  // namespace

Anatomy::Anatomy(std::uint64_t seed, std::int64_t patient)
    : tissue(stream(seed, patient, kTissue), 7),
      marks(stream(seed, patient, kMarks), 22),
      mottle(stream(seed, patient, kMottle), 17),
      patches(stream(seed, patient, kPatches), 30) {
  Draws d = stream(seed, patient, kShape);
  chest_width = draw(d, 0.70, 0.80);
  waist = draw(d, 0.86, 0.98);
  apex = draw(d, -0.80, -0.70);
  dome_right = draw(d, 0.34, 0.48);
  dome_left = dome_right + draw(d, 0.03, 0.10);
  inner = draw(d, 0.12, 0.16);
  softness_of_body = draw(d, 0.30, 0.50);
  heart_x = draw(d, 0.09, 0.15);
  heart_y = draw(d, 0.20, 0.30);
  heart_rx = draw(d, 0.30, 0.42);
  heart_ry = draw(d, 0.22, 0.29);
  knob = draw(d, 0.06, 0.09);
  hilum = draw(d, 0.08, 0.14);
  mediastinum = draw(d, 0.10, 0.14);
  rib_first = draw(d, -0.80, -0.72);
  rib_gap = draw(d, 0.135, 0.160);
  rib_slope = draw(d, 0.05, 0.16);
  rib_drop = draw(d, 0.22, 0.36);
  rib_density = draw(d, 0.075, 0.110);
  clavicle_slope = draw(d, -0.22, -0.10);
  spine_bend = draw(d, -0.03, 0.03);
  breast = d.next() % 2 ? draw(d, 0.03, 0.08) : 0.0F;
  bubble = draw(d, 0.05, 0.12);
  Draws o = stream(seed, patient, kOpacity);
  const float side = o.next() % 2 ? 1.0F : -1.0F;
  opacity = {.centre = {side * draw(o, 0.30, 0.56), draw(o, -0.45, 0.34)},
             .radius_x = draw(o, 0.22, 0.32),
             .radius_y = draw(o, 0.24, 0.36),
             .tilt = draw(o, -0.6, 0.6),
             .density = draw(o, 0.20, 0.30),
             .faint = draw(o, 0.0, 0.5)};
  grow_vessels(seed, patient);
}

// Vessels fan out from the hilum of each lung, bend downwards, fork and thin.
void Anatomy::grow_vessels(std::uint64_t seed, std::int64_t patient) {
  Draws d = stream(seed, patient, kVessels);
  for (const float side : {-1.0F, 1.0F}) {
    for (int branch = 0; branch < 9; ++branch) {
      float angle = -1.25F + 0.31F * static_cast<float>(branch) + draw(d, -0.12, 0.12);
      Point at = {0.17F, 0.0F + draw(d, -0.05, 0.05)};
      float width = draw(d, 0.013, 0.022);
      for (int piece = 0; piece < 5; ++piece) {
        angle += draw(d, -0.25, 0.30);
        const float length = draw(d, 0.09, 0.15);
        const Point to = {at.x + length * std::cos(angle), at.y + length * std::sin(angle)};
        vessels.push_back({{side * at.x, at.y}, {side * to.x, to.y}, width, 0.11F});
        const float fork = angle + (d.next() % 2 ? 0.7F : -0.7F);
        const Point tip = {at.x + 0.8F * length * std::cos(fork), at.y + 0.8F * length * std::sin(fork)};
        vessels.push_back({{side * at.x, at.y}, {side * tip.x, tip.y}, width * 0.65F, 0.09F});
        at = to;
        width *= 0.78F;
      }
    }
  }
}

float Anatomy::diaphragm(float side_x, float side, float breath) const {
  const float dome = (side > 0 ? dome_left : dome_right) + breath;
  const float off = (side_x - 0.36F) / 0.40F;
  return dome + (off > 0 ? 0.24F : 0.06F) * off * off;  // falls into the costophrenic angle
}

float Anatomy::heart(Point p) const {
  const float x = p.x - heart_x, y = p.y - heart_y;
  const float u = 0.80F * x + 0.60F * y, v = -0.60F * x + 0.80F * y;
  const float r = std::sqrt(squared(u / heart_rx) + squared(v / heart_ry));
  return edge(1 - r, 0.22F) * (0.75F + 0.25F * std::sqrt(std::max(0.0F, 1 - r * r)));
}

float Anatomy::lung(Point p, float breath) const {
  const float side = p.x < 0 ? -1.0F : 1.0F, x = std::abs(p.x);
  const float medial = inner + 0.05F * (p.y + 0.2F) + 0.05F * bell(p.y + 0.02F, 0.16F);
  const float up = std::max(0.0F, (0.30F - p.y) / (0.30F - apex));
  const float outer = chest_width * std::pow(std::max(0.0F, 1 - std::pow(up, 2.6F)), 0.55F) -
                      0.03F * std::max(0.0F, p.y - 0.3F);
  return edge(x - medial, 0.035F) * edge(outer - x, 0.03F) * edge(diaphragm(x, side, breath) - p.y, 0.03F);
}

float Anatomy::bones(Point p) const {
  const float x = std::abs(p.x);
  float sum = 0;
  const float cage = edge(chest_width + 0.07F - x, 0.03F) * edge(x - 0.07F, 0.03F);
  const float posterior =
      rib_slope * x + rib_drop * squared(squared(x / 0.8F)) - 0.06F * bell(x - 0.25F, 0.2F);
  const float anterior = 0.42F * (0.80F - x);
  // Ribs lie further apart than they are wide: only the nearest can be met.
  const auto from_nearest = [&](float y, float first, float last) {
    const float k = std::clamp(std::round((y - rib_first) / rib_gap), first, last);
    return y - rib_first - rib_gap * k;
  };
  if (cage > 0) {
    sum += cage * rib_density * bone(from_nearest(p.y - posterior, 0, 9), 0.036F);
    sum += cage * 0.6F * rib_density * edge(x - 0.34F, 0.12F) *
           bone(from_nearest(p.y - anterior + 0.10F, 2, 7), 0.038F);
  }
  const float clavicle = -0.60F + clavicle_slope * x + 0.035F * std::sin(5 * x);
  sum += 0.15F * bone(p.y - clavicle, 0.042F) * edge(x - 0.09F, 0.05F) * edge(0.84F - x, 0.05F);
  const float blade = x - (0.66F + 0.20F * (p.y + 0.5F));  // shoulder blade
  sum += 0.06F * edge(blade, 0.03F) * edge(0.2F - blade, 0.05F) * edge(0.1F - p.y, 0.2F) *
         edge(p.y + 0.66F, 0.08F);
  const float spine = p.x - spine_bend * std::sin(2 * p.y);
  const float disc = 0.75F + 0.25F * std::cos(p.y * 2 * std::numbers::pi_v<float> / 0.145F);
  return sum + 0.14F * bell(spine, 0.085F) * disc + 0.04F * bone(spine, 0.09F);
}

float Anatomy::density(Point p, float breath) const {
  const float x = std::abs(p.x), side = p.x < 0 ? -1.0F : 1.0F;
  const float shoulder = edge(p.y + 0.86F, 0.22F);
  const float width = 0.24F + (waist - 0.24F + 0.08F * edge(-0.2F - p.y, 0.5F)) * shoulder;
  const float body = edge(width - x, 0.03F);
  if (body <= 0) return 0;
  const float thick = std::sqrt(std::max(0.0F, 1 - squared(x / (width + 0.02F))));
  const float in_heart = heart(p), air = lung(p, breath) * (1 - 0.9F * in_heart);
  float sum = 0.30F + softness_of_body * thick + 0.03F * tissue.at(p.x, p.y);
  sum += 0.20F * edge(p.y - diaphragm(x, side, breath), 0.05F);
  sum -= 0.10F * bubble / 0.12F *
         edge(1 - std::hypot((p.x - 0.36F) / 0.17F, (p.y - dome_left - breath - 0.16F) / bubble), 0.3F);
  sum += 0.19F * bell(x, mediastinum) + 0.13F * in_heart;
  sum += 0.14F * edge(1 - std::hypot(p.x - 0.13F, p.y + 0.27F) / knob, 0.25F);
  sum += hilum * bell(std::hypot(x - 0.22F, 0.7F * (p.y - 0.01F)), 0.11F);
  sum -= 0.13F * bell(p.x - 0.01F, 0.038F) * edge(-0.24F - p.y, 0.08F);  // windpipe
  sum += breast * edge(1 - std::hypot((x - 0.44F) / 0.32F, (p.y - 0.36F) / 0.30F), 0.25F);
  sum -= air * (0.50F - 0.07F * p.y + 0.03F * marks.at(p.x, p.y));
  return std::max(0.0F, body * (sum + bones(p)));
}

float Anatomy::opacity_at(Point p) const {
  const float x = p.x - opacity.centre.x, y = p.y - opacity.centre.y;
  const float c = std::cos(opacity.tilt), s = std::sin(opacity.tilt);
  const float r = std::hypot((c * x + s * y) / opacity.radius_x, (c * y - s * x) / opacity.radius_y);
  return opacity.density * edge(1 - r, 0.45F);
}

float Anatomy::texture_at(Point p) const {
  const float v = 1.5F * mottle.at(p.x, p.y) + 0.9F * patches.at(p.x, p.y);
  return std::clamp(1.3F * v, -1.0F, 1.0F);
}

}  // namespace entrain::sharding
