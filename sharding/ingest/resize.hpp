#pragma once
#include <cstdint>
#include <vector>

#include "sharding/ingest/picture.hpp"

namespace entrain::sharding {

/// How a picture that is not square becomes px x px.
enum class Fit {
  kCrop,     ///< the largest centred square: shape of organs kept, margins lost
  kPad,      ///< all of it, black bars: shape kept, nothing lost
  kStretch,  ///< all of it, squashed: shape of organs changes with the format of the film
};

/// Values that become black and white; both 0: 0 and the picture's white.
struct Window {
  double low = 0, high = 0;
};

/// px x px x channels 8-bit values: antialiased bilinear (a triangle as wide as the reduction, Pillow's and
/// torchvision's definition), then the window, rounded.
std::vector<std::uint8_t> resize(const Picture& picture, std::int64_t px, Fit fit, const Window& window);

}  // namespace entrain::sharding
