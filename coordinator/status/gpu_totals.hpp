#pragma once
#include <optional>
#include <string>
#include <vector>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// How the GPUs of a run are doing, all together. What no rank tells of is nothing.
struct GpuTotals {
  int gpus = 0;                         ///< that anything is told of
  std::optional<double> utilization{};  ///< mean, 0 to 1
  std::optional<double> hottest_celsius{};
  int hottest_rank = 0;
  std::optional<double> power_watts{};    ///< sum
  std::optional<double> energy_joules{};  ///< sum, of this generation
  std::optional<double>
      joules_per_1000_images{};  ///< at the power and speed of now; nothing unless all ranks tell their power
};
GpuTotals gpu_totals(const RunStatus& status);

/// {"8 GPUs", "93 % busy", "hottest 71 C (rank 3)", "2.1 kW", "3.4 kJ per 1,000 images", "12 MJ so far"}: what is known.
/// Empty: there are no GPUs.
std::vector<std::string> gpu_words(const GpuTotals& totals);

}  // namespace entrain::status
