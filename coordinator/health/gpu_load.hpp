#pragma once
#include <array>
#include <optional>

namespace entrain::health {

/// What the driver says of one GPU at this moment. Nothing: it does not say so of this one.
struct GpuLoad {
  std::optional<double> utilization{};   ///< share of the last moments in which it computed, 0 to 1
  std::optional<double> memory_bytes{};  ///< in use, by whomever
  std::optional<double> temperature_celsius{};
  std::optional<double> power_watts{};
  std::optional<double> energy_joules{};  ///< used since somebody began to count
};

/// Its values by name; each lies between 0 and `most`.
struct GpuLoadField {
  const char* name;
  std::optional<double> GpuLoad::*value;
  double most;
};
inline constexpr double kMostOfAnything = 1e18;
inline constexpr std::array<GpuLoadField, 5> kGpuLoadFields{{
    {"utilization", &GpuLoad::utilization, 1},
    {"memory_bytes", &GpuLoad::memory_bytes, kMostOfAnything},
    {"temperature_celsius", &GpuLoad::temperature_celsius, kMostOfAnything},
    {"power_watts", &GpuLoad::power_watts, kMostOfAnything},
    {"energy_joules", &GpuLoad::energy_joules, kMostOfAnything},
}};

/// Whether anything is known; nothing is, where a rank has no GPU.
constexpr bool is_known(const GpuLoad& load) {
  for (const auto& field : kGpuLoadFields)
    if (load.*field.value) return true;
  return false;
}

}  // namespace entrain::health
