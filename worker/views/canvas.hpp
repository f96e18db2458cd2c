#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace entrain::worker {

using Colour = std::array<std::uint8_t, 3>;

/// An RGB picture to draw on, white at first. What falls outside is not drawn.
class Canvas {
 public:
  static constexpr int kLineHeight = 10;     ///< pixels from one line of text to the next
  static constexpr int kCharacterWidth = 6;  ///< pixels

  Canvas(int width, int height);
  int width() const { return width_; }
  int height() const { return height_; }
  const std::vector<std::uint8_t>& rgb() const { return rgb_; }  ///< height x width x 3
  Colour at(int x, int y) const;

  void set(int x, int y, Colour colour);
  /// The outline of a rectangle, `thick` pixels wide, inside it.
  void outline(int x, int y, int width, int height, int thick, Colour colour);
  /// Small letters, digits and signs, 5 x 8 pixels each; capitals are drawn small, what is unknown as a box.
  void text(int x, int y, std::string_view line, Colour colour);
  /// A view (planar [channels, side, side] in [-1, 1]), each pixel drawn `zoom` times `zoom`.
  void picture(int x, int y, const float* view, int side, int channels, int zoom);

 private:
  int width_, height_;
  std::vector<std::uint8_t> rgb_;
};

/// Writes a PNG under a temporary name and renames it into place. DataError naming the path if it cannot.
void write_png(const Canvas& canvas, const std::string& path);

}  // namespace entrain::worker
