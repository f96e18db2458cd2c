#include "coordinator/network_cost.hpp"

namespace entrain::coordinator {

ViewCost view_cost(const BitArchitecture& arch, std::int64_t pixels) {
  ViewCost cost;
  const auto half = [](std::int64_t side) {
    return (side - 1) / 2 + 1;
  };  // stride 2, padded to keep the centre
  const auto conv = [&](std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t side) {
    cost.conv_elements += out * side * side;
    cost.macs += in * kernel * kernel * out * side * side;
  };
  const auto norm = [&](std::int64_t channels, std::int64_t side) {
    cost.norm_elements += channels * side * side;
  };

  std::int64_t side = half(pixels), in = arch.stem_channels();
  conv(arch.in_channels, in, 7, side);
  side = half(side);  // the pool
  const std::int64_t pool_elements = in * side * side;
  for (int stage = 0; stage < 4; ++stage) {
    const std::int64_t out = arch.out_channels(stage), narrow = out / 4;
    for (std::int64_t block = 0; block < arch.units[stage]; ++block) {
      const std::int64_t after = stage > 0 && block == 0 ? half(side) : side;
      norm(in, side);
      conv(in, narrow, 1, side);
      norm(narrow, side);
      conv(narrow, narrow, 3, after);
      norm(narrow, after);
      conv(narrow, out, 1, after);
      if (block == 0) conv(in, out, 1, after);
      in = out, side = after;
    }
  }
  norm(in, side);
  // Each norm + ReLU keeps its input and its output, the latter being the next convolution's input; the stem keeps
  // the view itself, the pool a byte per output.
  cost.kept_elements = 2 * cost.norm_elements + arch.in_channels * pixels * pixels + pool_elements / 4;
  return cost;
}

}  // namespace entrain::coordinator
