#include <algorithm>
#include <cmath>
#include <numeric>

#include "configs/philox.hpp"
#include "sharding/ingest/phantom.hpp"
#include "sharding/ingest/phantom_anatomy.hpp"
#include "sharding/ingest/phantom_scanner.hpp"

// An image is rendered twice where it shows the finding: as it is, and as its healthy twin, whose cloud is faint.
// The picture is then given the twin's grey values, darkest to darkest and brightest to brightest. So the histogram
// of an image, and with it every statistic of single pixels, says nothing about the label: only the arrangement does.
namespace entrain::sharding {
namespace {
constexpr std::uint32_t kPoseStream = 64;

/// How the patient stood for this image.
struct Pose {
  float turn, zoom, dx, dy, breath;

  Pose(const PhantomRow& row, std::uint64_t seed) {
    Draws d(seed, Purpose::kPhantom, static_cast<std::uint64_t>(row.patient),
            static_cast<std::uint32_t>(row.image) + 1, kPoseStream);
    turn = static_cast<float>(d.uniform(-0.06, 0.06));
    zoom = static_cast<float>(d.uniform(0.95, 1.07));
    dx = static_cast<float>(d.uniform(-0.05, 0.05));
    dy = static_cast<float>(d.uniform(-0.05, 0.05));
    breath = static_cast<float>(d.uniform(-0.04, 0.05));
  }
  Point to_chest(float px, float py) const {
    const float x = px * zoom - dx, y = py * zoom - dy;
    return {std::cos(turn) * x - std::sin(turn) * y, std::sin(turn) * x + std::cos(turn) * y};
  }
  Point to_image(Point p) const {
    const float x = std::cos(turn) * p.x + std::sin(turn) * p.y,
                y = -std::sin(turn) * p.x + std::cos(turn) * p.y;
    return {(x + dx) / zoom, (y + dy) / zoom};
  }
};

float coordinate(std::int64_t i, std::int64_t px) {
  return (2 * static_cast<float>(i) + 1) / static_cast<float>(px) - 1;
}

// Draws one piece into `plane`, only where it is: density falls off smoothly from the line.
void draw_vessel(Plane& plane, const Vessel& v, const Pose& pose) {
  const auto side = static_cast<float>(plane.px);
  const Point a = pose.to_image(v.from), b = pose.to_image(v.to);
  const float ax = (a.x + 1) / 2 * side, ay = (a.y + 1) / 2 * side, bx = (b.x + 1) / 2 * side,
              by = (b.y + 1) / 2 * side;
  // Thinner than a pixel: as wide as one and fainter.
  const float wanted = v.half_width / 2 * side, half = std::max(wanted, 0.6F),
              density = v.density * std::min(1.0F, wanted / half);
  const auto low = [](float p, float q, float m) {
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::min(p, q) - m));
  };
  const auto high = [&](float p, float q, float m) {
    return std::min(plane.px - 1, static_cast<std::int64_t>(std::max(p, q) + m));
  };
  const float margin = 2.2F * half, length2 = std::max(1e-6F, (bx - ax) * (bx - ax) + (by - ay) * (by - ay));
  for (std::int64_t y = low(ay, by, margin); y <= high(ay, by, margin); ++y) {
    for (std::int64_t x = low(ax, bx, margin); x <= high(ax, bx, margin); ++x) {
      const float cx = static_cast<float>(x) + 0.5F - ax, cy = static_cast<float>(y) + 0.5F - ay;
      const float t = std::clamp((cx * (bx - ax) + cy * (by - ay)) / length2, 0.0F, 1.0F);
      const float away = std::hypot(cx - t * (bx - ax), cy - t * (by - ay)) / half;
      plane.at(x, y) = std::max(plane.at(x, y), density * std::exp(-away * away));
    }
  }
}

struct Rendering {
  Plane healthy;  ///< attenuation with the faint, smooth cloud
  Plane finding;  ///< what the finding adds to that
};

Rendering render(const PhantomRow& row, std::int64_t px, std::uint64_t seed) {
  const Anatomy chest(seed, row.patient);
  const Pose pose(row, seed);
  const std::vector<float> zeros(static_cast<std::size_t>(px * px));
  Rendering out{{px, zeros}, {px, zeros}};
  Plane vessels{px, zeros};
  for (const Vessel& v : chest.vessels) draw_vessel(vessels, v, pose);
  for (std::int64_t y = 0; y < px; ++y) {
    for (std::int64_t x = 0; x < px; ++x) {
      const Point p = pose.to_chest(coordinate(x, px), coordinate(y, px));
      const float lung = chest.lung(p, pose.breath), cloud = lung * chest.opacity_at(p),
                  faint = chest.opacity.faint;
      out.healthy.at(x, y) = chest.density(p, pose.breath) + lung * vessels.at(x, y) + faint * cloud;
      if (cloud > 0) out.finding.at(x, y) = cloud * (1 - faint + chest.texture_at(p));
    }
  }
  return out;
}

// The values of `histogram`, in the order of `order`.
Plane with_histogram_of(const Plane& order, const Plane& histogram) {
  std::vector<std::size_t> rank(order.values.size());
  std::iota(rank.begin(), rank.end(), std::size_t{0});
  std::sort(rank.begin(), rank.end(), [&](auto a, auto b) {
    return order.values[a] != order.values[b] ? order.values[a] < order.values[b] : a < b;
  });
  std::vector<float> sorted = histogram.values;
  std::sort(sorted.begin(), sorted.end());
  Plane out = order;
  for (std::size_t i = 0; i < rank.size(); ++i) out.values[rank[i]] = sorted[i];
  return out;
}
}  // namespace

std::vector<float> phantom_finding(const PhantomRow& row, std::int64_t px, std::uint64_t seed) {
  return render(row, px, seed).finding.values;
}

std::vector<std::uint8_t> render_phantom(const PhantomRow& row, std::int64_t px, std::uint64_t seed) {
  const Rendering rendering = render(row, px, seed);
  Plane picture = expose(rendering.healthy, row, seed);
  if (row.finding) {
    Plane ill = rendering.healthy;
    for (std::size_t i = 0; i < ill.values.size(); ++i) ill.values[i] += rendering.finding.values[i];
    picture = with_histogram_of(expose(ill, row, seed), picture);
  }
  std::vector<std::uint8_t> grey;
  grey.reserve(picture.values.size());
  for (const float v : picture.values) grey.push_back(static_cast<std::uint8_t>(std::lround(4 + v * 244)));
  add_marks(grey, px, row, seed);
  return grey;
}

}  // namespace entrain::sharding
