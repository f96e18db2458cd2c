#include "coordinator/health/slowdown.hpp"

#include <array>
#include <utility>

namespace entrain::health {

std::string slowdown_text(std::uint64_t bits) {
  static constexpr std::array<std::pair<std::uint64_t, const char*>, 4> kReasons{
      {{kThermalSlowdown, "too hot, the hardware cut them"},
       {kPowerBrake, "the power supply asked for less"},
       {kHardwareSlowdown, "the hardware cut them"},
       {kSoftwareThermalSlowdown, "too hot, the driver keeps them low"}}};
  // The general bit stands for whichever of the two before it is set.
  if ((bits & (kThermalSlowdown | kPowerBrake)) != 0) bits &= ~kHardwareSlowdown;
  std::string text;
  for (const auto& [bit, reason] : kReasons)
    if ((bits & bit) != 0) text += (text.empty() ? "" : "; ") + std::string(reason);
  return text;
}

}  // namespace entrain::health
