#include "evaluation/chart.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "configs/cat.hpp"
#include "evaluation/study.hpp"

namespace entrain::evaluation {
namespace {

constexpr double kLeft = 46, kRight = 352, kTop = 30, kBottom = 262, kWidth = 460, kHeight = 322;
constexpr double kLabelGap = 17;  // between the middles of two direct labels

struct Axes {
  double x_low = 0, x_high = 0, y_low = 0, y_high = 1, y_step = 0.1;
  double x(double value) const {
    if (x_high == x_low) return (kLeft + kRight) / 2;
    return kLeft + 14 + (kRight - kLeft - 28) * (std::log(value) - x_low) / (x_high - x_low);
  }
  double y(double value) const { return kBottom - (kBottom - kTop) * (value - y_low) / (y_high - y_low); }
};

Axes axes_for(const std::vector<ChartTick>& ticks, const ChartRange& shown) {
  Axes axes;
  const auto [left, right] =
      std::minmax_element(ticks.begin(), ticks.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
  axes.x_low = std::log(left->x);
  axes.x_high = std::log(right->x);
  const double range = std::max(shown.high - shown.low, 0.02);
  axes.y_step = range > 0.4 ? 0.1 : range > 0.15 ? 0.05 : range > 0.06 ? 0.02 : 0.01;
  axes.y_low = std::max(0.0, std::floor(shown.low / axes.y_step + 1e-9) * axes.y_step);
  axes.y_high = std::min(1.0, std::ceil(shown.high / axes.y_step - 1e-9) * axes.y_step);
  if (axes.y_high <= axes.y_low) axes.y_low = axes.y_high - axes.y_step;
  return axes;
}

std::string n1(double value) { return fixed(value, 1); }

std::string grid(const Axes& axes, const std::vector<ChartTick>& ticks) {
  std::string out = "<g class=\"grid\">";
  const int steps = static_cast<int>(std::lround((axes.y_high - axes.y_low) / axes.y_step));
  for (int i = 0; i <= steps; ++i) {
    const double value = axes.y_low + i * axes.y_step, y = axes.y(value);
    out +=
        cat("<line x1=\"", n1(kLeft), "\" x2=\"", n1(kRight), "\" y1=\"", n1(y), "\" y2=\"", n1(y), "\"/>");
    out += cat("<text x=\"", n1(kLeft - 7), "\" y=\"", n1(y + 4), "\" text-anchor=\"end\">", fixed(value, 2),
               "</text>");
  }
  for (const auto& tick : ticks) {
    const double x = axes.x(tick.x);
    out += cat("<line class=\"tick\" x1=\"", n1(x), "\" x2=\"", n1(x), "\" y1=\"", n1(kBottom), "\" y2=\"",
               n1(kBottom + 5), "\"/>");
    out += cat("<text x=\"", n1(x), "\" y=\"", n1(kBottom + 20), "\" text-anchor=\"middle\">",
               escaped(tick.text), "</text>");
    out += cat("<text class=\"below\" x=\"", n1(x), "\" y=\"", n1(kBottom + 36), "\" text-anchor=\"middle\">",
               escaped(tick.below), "</text>");
  }
  out += cat("<text class=\"axis\" x=\"", n1(kLeft - 7), "\" y=\"", n1(kTop - 15),
             "\" text-anchor=\"end\">AUC</text>");
  const double middle = (kLeft + kRight) / 2;
  out += cat("<text class=\"axis\" x=\"", n1(middle), "\" y=\"", n1(kBottom + 55),
             "\" text-anchor=\"middle\">labelled patients used: share, number</text>");
  return out + "</g>";
}

// Above the bands and below the lines, or nobody could read it.
std::string chance(const Axes& axes) {
  if (axes.y_low >= 0.5 || axes.y_high <= 0.5) return "";
  const double y = axes.y(0.5);
  return cat("<line class=\"chance\" x1=\"", n1(kLeft), "\" x2=\"", n1(kRight), "\" y1=\"", n1(y), "\" y2=\"",
             n1(y), "\"/><text class=\"halo\" x=\"", n1(kRight + 9), "\" y=\"", n1(y + 4),
             "\">chance</text>");
}

std::string band(const Axes& axes, const ChartCurve& curve) {
  std::string there, back;
  for (const auto& p : curve.points) {
    if (std::isnan(p.low) || std::isnan(p.high)) continue;
    there += cat(n1(axes.x(p.x)), ',', n1(axes.y(p.high)), ' ');
    back = cat(n1(axes.x(p.x)), ',', n1(axes.y(p.low)), ' ', back);
  }
  return cat("<polygon points=\"", there, back, "\" fill=\"", curve.color, "\" fill-opacity=\"0.14\"/>");
}

std::string line(const Axes& axes, const ChartCurve& curve) {
  std::string points, markers;
  for (const auto& p : curve.points) {
    const double x = axes.x(p.x), y = axes.y(p.y);
    points += cat(n1(x), ',', n1(y), ' ');
    // A whisker too, so that a single point and a black-and-white print show the interval.
    if (!std::isnan(p.low))
      markers += cat("<line x1=\"", n1(x), "\" x2=\"", n1(x), "\" y1=\"", n1(axes.y(p.low)), "\" y2=\"",
                     n1(axes.y(p.high)), "\" stroke=\"", curve.color, "\" stroke-opacity=\"0.45\"/>");
    markers += curve.dashed ? cat("<rect x=\"", n1(x - 3.5), "\" y=\"", n1(y - 3.5),
                                  "\" width=\"7\" height=\"7\" fill=\"#fff\" stroke=\"", curve.color,
                                  "\" stroke-width=\"2\"/>")
                            : cat("<circle cx=\"", n1(x), "\" cy=\"", n1(y), "\" r=\"4\" fill=\"",
                                  curve.color, "\"/>");
  }
  return cat("<polyline points=\"", points, "\" fill=\"none\" stroke=\"", curve.color,
             "\" stroke-width=\"2.2\"", curve.dashed ? " stroke-dasharray=\"6 4\"" : "", "/>", markers);
}

// Heights of the labels: as near to the ends of their lines as a gap between any two allows.
std::vector<double> label_heights(const Axes& axes, const std::vector<ChartCurve>& curves) {
  std::vector<std::size_t> order(curves.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> height;
  for (const auto& curve : curves) height.push_back(axes.y(curve.points.back().y));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return height[a] < height[b]; });
  for (int pass = 0; pass < 200; ++pass)  // push overlapping neighbours apart by the same amount
    for (std::size_t i = 1; i < order.size(); ++i) {
      double &above = height[order[i - 1]], &below = height[order[i]];
      const double lack = kLabelGap - (below - above);
      if (lack > 0) above -= lack / 2, below += lack / 2;
    }
  for (auto& h : height) h = std::clamp(h, kTop, kBottom);
  for (std::size_t i = 1; i < order.size(); ++i)
    height[order[i]] = std::max(height[order[i]], height[order[i - 1]] + kLabelGap);
  return height;
}

std::string labels(const Axes& axes, const std::vector<ChartCurve>& curves) {
  std::string out;
  const auto height = label_heights(axes, curves);
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const auto& end = curves[i].points.back();
    out += cat("<path d=\"M", n1(axes.x(end.x) + 6), ' ', n1(axes.y(end.y)), "L", n1(kRight), ' ',
               n1(height[i]), "H", n1(kRight + 5), "\" fill=\"none\" stroke=\"", curves[i].color,
               "\" stroke-opacity=\"0.5\"/>");
    out += cat("<text class=\"label\" x=\"", n1(kRight + 9), "\" y=\"", n1(height[i] + 4),
               "\" style=\"fill:", curves[i].color, "\">", escaped(curves[i].label), "</text>");
  }
  return out;
}

}  // namespace

void ChartRange::include(const ChartCurve& curve) {
  for (const auto& p : curve.points) {
    low = std::min({low, p.y, std::isnan(p.low) ? p.y : p.low});
    high = std::max({high, p.y, std::isnan(p.high) ? p.y : p.high});
  }
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '&'   ? "&amp;"
           : c == '<' ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  return out;
}

std::string label_efficiency_svg(const std::string& id, const std::string& title,
                                 const std::string& description, const std::vector<ChartCurve>& curves,
                                 const std::vector<ChartTick>& ticks, const ChartRange& range) {
  const Axes axes = axes_for(ticks, range);
  std::string out = cat("<svg viewBox=\"0 0 ", n1(kWidth), ' ', n1(kHeight),
                        "\" role=\"img\" aria-labelledby=\"", id, "-t ", id, "-d\"><title id=\"", id, "-t\">",
                        escaped(title), "</title><desc id=\"", id, "-d\">", escaped(description), "</desc>");
  out += grid(axes, ticks);
  for (const auto& curve : curves) out += band(axes, curve);
  out += chance(axes);
  for (const auto& curve : curves) out += line(axes, curve);
  return out + labels(axes, curves) + "</svg>";
}

}  // namespace entrain::evaluation
