#include "coordinator/control/beat.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/json_object.hpp"

namespace entrain::control {
namespace {
constexpr std::array<std::string_view, 6> kPhases{"setup", "data", "compute", "collective", "commit", "done"};
constexpr std::size_t kMaxText = 4096,
                      kMaxStack = 16384;  // bytes; a stack's 4096 may grow when mended to UTF-8

health::GpuLoad gpu_of(const nlohmann::json& json) {
  const JsonObject in(json, "a GPU's load");
  health::GpuLoad load;
  for (const auto& field : health::kGpuLoadFields) {
    if (!in.has(field.name)) continue;
    const double value = in.number(field.name);
    if (!(value >= 0 && value <= field.most))
      throw DataError(cat("a GPU's load: ", field.name, " is ", value));
    load.*field.value = value;
  }
  return load;
}

}  // namespace

std::string_view name_of(Phase phase) { return kPhases.at(static_cast<std::size_t>(phase)); }

void to_json(nlohmann::json& json, const RankBeat& b) {
  json = {{"rank", b.rank},
          {"pid", b.pid},
          {"beats", b.beats},
          {"step", b.step},
          {"total_steps", b.total_steps},
          {"phase", name_of(b.phase)},
          {"seconds_in_phase", b.seconds_in_phase},
          {"collectives", b.collectives},
          {"queue_depth", b.queue_depth},
          {"memory_bytes", b.memory_bytes},
          {"step_seconds", b.step_seconds},
          {"signal", b.signal},
          {"stopped", b.stopped}};
  if (!b.stack.empty()) json["stack"] = b.stack;
  for (const auto& field : health::kGpuLoadFields)
    if (const auto& value = b.gpu.*field.value) json["gpu"][field.name] = *value;
}

void from_json(const nlohmann::json& json, RankBeat& b) {
  const JsonObject in(json, "a rank's heartbeat");
  b.rank = in.integer<std::int32_t>("rank", 0);
  b.pid = in.integer<std::int64_t>("pid", 0);
  b.beats = in.integer<std::uint64_t>("beats");
  b.step = in.integer<std::int64_t>("step");
  b.total_steps = in.has("total_steps") ? in.integer<std::int64_t>("total_steps") : 0;
  const auto phase = in.text("phase", kMaxText);
  b.phase = Phase::kSetup;
  for (std::size_t i = 0; i < kPhases.size(); ++i)
    if (phase == kPhases[i]) b.phase = static_cast<Phase>(i);
  b.seconds_in_phase = in.number("seconds_in_phase");
  b.collectives = in.integer<std::uint64_t>("collectives");
  b.queue_depth = in.integer<std::int32_t>("queue_depth");
  b.memory_bytes = in.integer<std::uint64_t>("memory_bytes");
  b.step_seconds = in.number("step_seconds");
  b.signal = in.integer<std::int32_t>("signal");
  b.stopped = in.flag("stopped");
  b.stack = in.has("stack") ? in.text("stack", kMaxStack) : "";
  b.gpu = in.has("gpu") ? gpu_of(json.at("gpu")) : health::GpuLoad{};
}

void to_json(nlohmann::json& json, const NodeBeat& b) {
  json = {{"host", b.host}, {"committed", b.committed}, {"ranks", b.ranks}};
}

void from_json(const nlohmann::json& json, NodeBeat& b) {
  const JsonObject in(json, "a node's heartbeat");
  b.host = in.text("host", kMaxText);
  b.committed = in.integer<std::int64_t>("committed", -1);
  in.array("ranks", kMaxRanksPerNode).get_to(b.ranks);
}

}  // namespace entrain::control
