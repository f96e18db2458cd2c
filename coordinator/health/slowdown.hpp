#pragma once
#include <cstdint>
#include <string>

namespace entrain::health {

/// Bits of Gpu::slowdown(), as NVML numbers them. The others (idle, a clock that somebody set, the power limit) are how a GPU
/// is run.
inline constexpr std::uint64_t kHardwareSlowdown = 0x8, kSoftwareThermalSlowdown = 0x20,
                               kThermalSlowdown = 0x40, kPowerBrake = 0x80;
/// Halve the clocks, or worse: something is broken.
inline constexpr std::uint64_t kBrokenClocks = kHardwareSlowdown | kThermalSlowdown | kPowerBrake;

/// "too hot, the hardware cut its clocks; the power supply asks for less". Empty: none of the bits above.
std::string slowdown_text(std::uint64_t bits);

}  // namespace entrain::health
