#pragma once
#include <string>
#include <vector>

namespace entrain::evaluation {

struct ChartPoint {
  double x = 0, y = 0, low = 0, high = 0;  ///< x: label fraction; low, high: NaN for no band
};
struct ChartCurve {
  std::string label;               ///< written at the end of the line
  std::string color;               ///< "#0072b2"
  bool dashed = false;             ///< and with square markers
  std::vector<ChartPoint> points;  ///< ascending in x
};
struct ChartTick {
  double x = 0;
  std::string text, below;  ///< "1 %", "23"
};

/// What the y axis must show, so that charts beside each other can share it.
struct ChartRange {
  double low = 1, high = 0;
  void include(const ChartCurve& curve);
};

/// A label-efficiency curve as one <svg> element without script: log x axis with ticks where there are points,
/// bands, direct labels that do not overlap, <title> and <desc>. Its view box is 460 wide, made to be shown at 320 to
/// 560 pixels. `id` must be unique in the page; texts are escaped here.
std::string label_efficiency_svg(const std::string& id, const std::string& title,
                                 const std::string& description, const std::vector<ChartCurve>& curves,
                                 const std::vector<ChartTick>& ticks, const ChartRange& range);

std::string escaped(const std::string& text);  ///< for HTML and SVG

}  // namespace entrain::evaluation
