#include "coordinator/supervise/gpu_probe.hpp"

#include "checkpoint/json_member.hpp"

namespace entrain::supervise {
namespace {

std::uint64_t count_in(const nlohmann::json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() && *found >= 0 ? found->get<std::uint64_t>() : 0;
}

}  // namespace

nlohmann::json json_of(const GpuProbe& gpu) {
  return {{"rank", gpu.rank},
          {"name", gpu.name},
          {"uuid", gpu.uuid},
          {"error", gpu.error},
          {"digest", gpu.digest},
          {"slowdown", gpu.slowdown},
          {"uncorrected", gpu.uncorrected},
          {"xids", gpu.xids}};
}

GpuProbe gpu_probe_of(const nlohmann::json& json) {
  GpuProbe gpu;
  if (!json.is_object()) return gpu;
  gpu.rank = static_cast<int>(count_in(json, "rank"));
  gpu.name = checkpoint::text_of(json, "name");
  gpu.uuid = checkpoint::text_of(json, "uuid");
  gpu.error = checkpoint::text_of(json, "error");
  gpu.digest = checkpoint::text_of(json, "digest");
  gpu.slowdown = count_in(json, "slowdown");
  gpu.uncorrected = count_in(json, "uncorrected");
  if (const auto xids = json.find("xids"); xids != json.end() && xids->is_array())
    for (const auto& xid : *xids)
      if (xid.is_number_unsigned()) gpu.xids.push_back(xid.get<std::uint64_t>());
  return gpu;
}

}  // namespace entrain::supervise
