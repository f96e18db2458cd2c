#include "coordinator/submit_ended.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::coordinator {
namespace {

using Values = std::map<std::string, std::string>;

// How a run is carried out, not what comes out of it.
bool is_of_the_way(const std::string& key) {
  static const std::set<std::string> kSections{"slurm", "http", "fault", "checkpoint"};
  static const std::set<std::string> kKeys{"run.dir", "run.threads", "run.device", "data.prefetch"};
  return kSections.count(key.substr(0, key.find('.'))) > 0 || kKeys.count(key) > 0;
}

// Nothing: it has not ended, or nobody can say what it did.
std::optional<Values> values_of_ended(const std::string& folder) {
  std::error_code none;
  if (!std::filesystem::exists(folder + "/DONE", none)) return std::nullopt;
  try {
    return read_run_config(folder + "/config.resolved.yaml", {}).values;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// "train.steps was 200 and is 400"; empty: nothing.
std::string asked_for_more(const Values& then, const Values& now, bool staged) {
  std::string out;
  for (const auto& [key, value] : now) {
    const auto old = then.find(key);
    if (is_of_the_way(key) || (staged && key == "data.files") || old == then.end() || old->second == value)
      continue;
    out += cat(out.empty() ? "" : "; ", key, " was ", old->second, " and is ", value);
  }
  return out;
}

Values with(Values values, const slurm::SweepRow& row) {
  for (const auto& word : row)
    if (const auto equals = word.find('='); equals != std::string::npos)
      values[word.substr(0, equals)] = word.substr(equals + 1);
  return values;
}

}  // namespace

EndedRuns ended_runs(const SubmitLine& line) {
  EndedRuns out{.all = true};
  for (const auto& stage : line.stages) {
    const bool staged = !stage.resolved.config.slurm.staging.empty();
    for (std::size_t i = 0; i < std::max<std::size_t>(stage.rows.size(), 1); ++i) {
      const bool sweep = !stage.rows.empty();
      const std::string folder = sweep ? cat(stage.run_dir, "/row-", i) : stage.run_dir;
      const auto then = values_of_ended(folder);
      if (!then) {
        out.all = false;
        continue;
      }
      const std::string more = asked_for_more(
          *then, sweep ? with(stage.resolved.values, stage.rows[i]) : stage.resolved.values, staged);
      out.all = out.all && more.empty();
      out.text += cat(folder, ": this run (", stage.name, ") has ended",
                      more.empty() ? "" : cat(", but is asked for more: ", more), '\n');
    }
  }
  return out;
}

}  // namespace entrain::coordinator
