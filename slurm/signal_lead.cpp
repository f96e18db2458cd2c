#include "slurm/signal_lead.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>

namespace entrain::slurm {
namespace {

constexpr std::size_t kSteps = 2000;
constexpr double kWithoutHistory = 240, kSlack = 60, kMost = 65535;

double number_in(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : 0;
}

}  // namespace

RunTimes times_of(const std::string& run_dir) {
  std::ifstream file(run_dir + "/metrics.jsonl");
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back(std::move(line));
    if (last.size() > kSteps) last.pop_front();
  }
  RunTimes out;
  double committing = 0;
  for (const auto& text : last) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    const double step = number_in(line, "step_s");
    if (step <= 0) continue;
    out.step_seconds = std::max(out.step_seconds.value_or(0), step);
    const auto busy = line.find("committing");
    const double stall = number_in(line, "commit_stall_s");
    const bool writes = stall > 0 || (busy != line.end() && busy->is_boolean() && busy->get<bool>());
    committing = writes ? committing + step + stall : 0;
    if (writes) out.commit_seconds = std::max(out.commit_seconds.value_or(0), committing);
  }
  return out;
}

std::int64_t signal_lead_seconds(const RunTimes& times, double limit_seconds) {
  double lead = times.commit_seconds ? kSlack + 2 * *times.commit_seconds + times.step_seconds.value_or(0)
                                     : kWithoutHistory;
  if (limit_seconds > 0) lead = std::min(lead, limit_seconds / 2);
  return static_cast<std::int64_t>(std::ceil(std::clamp(lead, 1.0, kMost)));
}

}  // namespace entrain::slurm
