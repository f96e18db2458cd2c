#include "coordinator/status/gpu_totals.hpp"

#include <cstdio>

#include "configs/cat.hpp"

namespace entrain::status {
namespace {

// "2.1 kW" of 2140 and "W".
std::string with_prefix(double value, const char* unit) {
  const char* prefix = "";
  for (const char* larger : {"k", "M", "G", "T"}) {
    if (value < 1000) break;
    value /= 1000, prefix = larger;
  }
  char text[64];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f %s%s" : "%.0f %s%s", value, prefix, unit);
  return text;
}

void add(std::optional<double>& sum, const std::optional<double>& value) {
  if (value) sum = sum.value_or(0) + *value;
}

}  // namespace

GpuTotals gpu_totals(const RunStatus& status) {
  GpuTotals totals;
  std::optional<double> busy;
  int tell_busy = 0, tell_power = 0;
  for (const RankStatus& r : status.ranks) {
    const health::GpuLoad& gpu = r.beat.gpu;
    if (!health::is_known(gpu)) continue;
    ++totals.gpus;
    add(busy, gpu.utilization), tell_busy += gpu.utilization ? 1 : 0;
    add(totals.power_watts, gpu.power_watts), tell_power += gpu.power_watts ? 1 : 0;
    add(totals.energy_joules, gpu.energy_joules);
    if (gpu.temperature_celsius && *gpu.temperature_celsius > totals.hottest_celsius.value_or(-1))
      totals.hottest_celsius = gpu.temperature_celsius, totals.hottest_rank = r.beat.rank;
  }
  if (busy) totals.utilization = *busy / tell_busy;
  const bool all_tell = tell_power > 0 && tell_power == static_cast<int>(status.ranks.size());
  if (all_tell && status.state == "training" && status.views_per_second.value_or(0) > 0) {
    const double views_per_image = status.stage == "pretrain" ? 2 : 1;
    totals.joules_per_1000_images = 1000 * *totals.power_watts * views_per_image / *status.views_per_second;
  }
  return totals;
}

std::vector<std::string> gpu_words(const GpuTotals& t) {
  if (t.gpus == 0) return {};
  std::vector<std::string> words{cat(t.gpus, t.gpus == 1 ? " GPU" : " GPUs")};
  if (t.utilization) words.push_back(cat(static_cast<int>(100 * *t.utilization + 0.5), " % busy"));
  if (t.hottest_celsius)
    words.push_back(cat(t.gpus == 1 ? "" : "hottest ", *t.hottest_celsius, " C",
                        t.gpus == 1 ? "" : cat(" (rank ", t.hottest_rank, ')')));
  if (t.power_watts) words.push_back(with_prefix(*t.power_watts, "W"));
  if (t.joules_per_1000_images)
    words.push_back(cat(with_prefix(*t.joules_per_1000_images, "J"), " per 1,000 images"));
  if (t.energy_joules) words.push_back(cat(with_prefix(*t.energy_joules, "J"), " so far"));
  return words;
}

}  // namespace entrain::status
