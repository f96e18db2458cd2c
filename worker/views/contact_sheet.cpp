#include "worker/views/contact_sheet.hpp"

#include <algorithm>
#include <cstdio>

#include "configs/cat.hpp"
#include "worker/views/render_view.hpp"

namespace entrain::worker {
namespace {

constexpr int kGap = 8, kTitle = 24, kCaptionLines = 3, kLeastTile = 192;
constexpr Colour kBlack = {0, 0, 0};
constexpr Colour kFrames[] = {{213, 94, 0},    {0, 114, 178}, {0, 158, 115},
                              {204, 121, 167}, {230, 159, 0}, {86, 180, 233}};

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// Where a crop lies on a square tile. A rotated view's crop is of the rotated image, so it is shown upright.
void outline_crop(Canvas& canvas, int x, int y, int tile, const CropBox& c, const sharding::ImageShape& shape,
                  Colour colour) {
  const auto place = [tile](std::int64_t v, std::int64_t of) { return static_cast<int>(v * tile / of); };
  canvas.outline(x + place(c.left, shape.width), y + place(c.top, shape.height), place(c.width, shape.width),
                 place(c.height, shape.height), 2, colour);
}

}  // namespace

std::vector<std::string> captions(const ViewParameters& v, const sharding::ImageShape& shape) {
  const double area = 100.0 * static_cast<double>(v.crop.height * v.crop.width) /
                      static_cast<double>(shape.height * shape.width);
  std::string where = cat(number("%.0f", area), "% ", v.crop.width, "x", v.crop.height);
  if (v.flip_horizontal || v.flip_vertical)
    where += cat(" flip", v.flip_horizontal ? " h" : "", v.flip_vertical ? " v" : "");
  if (v.rotation_degrees != 0) where += number(" turn %+.0f", static_cast<double>(v.rotation_degrees));
  std::string colour;
  const bool three = shape.channels == 3;
  for (const int op : v.order) {
    if (op == kBrightness) colour += number(" b%.2f", static_cast<double>(v.brightness));
    if (op == kContrast) colour += number(" c%.2f", static_cast<double>(v.contrast));
    if (op == kSaturation && three) colour += number(" s%.2f", static_cast<double>(v.saturation));
    if (op == kHue && three) colour += number(" h%+.2f", static_cast<double>(v.hue));
  }
  std::string rest;
  if (v.jitter && v.gamma != 1) rest += number(" gamma %.2f", static_cast<double>(v.gamma));
  if (v.gray && three) rest += " gray";
  if (v.blur_sigma > 0) rest += number(" blur %.1f", static_cast<double>(v.blur_sigma));
  if (v.equalize) rest += " equalized";
  return {where, v.jitter ? colour.substr(1) : "no jitter", rest.empty() ? "" : rest.substr(1)};
}

Canvas contact_sheet(const sharding::Corpus& corpus, const ViewSection& section, sharding::ValueWindow window,
                     std::uint64_t seed, SheetLayout layout) {
  const sharding::ImageShape& shape = corpus.shape();
  const int rows = static_cast<int>(std::min<std::int64_t>(layout.rows, corpus.size()));
  const int side = static_cast<int>(section.crop_pixels), zoom = std::max(1, (kLeastTile + side - 1) / side);
  const int tile = side * zoom, step_x = tile + kGap,
            step_y = tile + kCaptionLines * Canvas::kLineHeight + kGap;
  ViewSection original_section = section;
  original_section.crop_pixels = tile;
  ViewRenderer renderer(section, shape, window.low, window.high),
      original(original_section, shape, window.low, window.high);
  std::vector<std::byte> image(shape.bytes());
  std::vector<float> view(renderer.out_values()), whole(original.out_values());
  const int channels = static_cast<int>(shape.channels);

  Canvas canvas(layout.columns * step_x + kGap, kTitle + rows * step_y);
  canvas.text(kGap, kGap,
              cat("preset ", section.preset, ", profile ", section.profile, ", ", side, " px, seed ", seed,
                  ", epoch 0"),
              kBlack);
  for (int row = 0; row < rows; ++row) {
    const std::int64_t sample = row * corpus.size() / rows;
    const int y = kTitle + row * step_y;
    corpus.read(sample, image.data());
    original.render_plain(image.data(), whole.data());
    canvas.picture(kGap, y, whole.data(), tile, channels, 1);
    canvas.text(kGap, y + tile + 3, cat("sample ", sample, ", ", shape.width, "x", shape.height), kBlack);
    if (!corpus.group(sample).empty())
      canvas.text(kGap, y + tile + 3 + Canvas::kLineHeight, cat("group ", corpus.group(sample)), kBlack);
    for (int column = 1; column < layout.columns; ++column) {
      const ViewParameters drawn = draw_view(section, shape, seed, 0, sample, column - 1);
      const Colour frame = kFrames[(column - 1) % std::size(kFrames)];
      const int x = kGap + column * step_x;
      renderer.render(image.data(), drawn, view.data());
      canvas.picture(x, y, view.data(), side, channels, zoom);
      canvas.outline(x - 2, y - 2, tile + 4, tile + 4, 2, frame);
      outline_crop(canvas, kGap, y, tile, drawn.crop, shape, frame);
      const auto lines = captions(drawn, shape);
      for (std::size_t i = 0; i < lines.size(); ++i)
        canvas.text(x, y + tile + 3 + static_cast<int>(i) * Canvas::kLineHeight, lines[i], kBlack);
    }
  }
  return canvas;
}

}  // namespace entrain::worker
