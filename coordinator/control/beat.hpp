#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/health/gpu_load.hpp"

namespace entrain::control {

inline constexpr std::size_t kMaxRanksPerNode = 4096;

/// What a rank is busy with. The order is that of a step.
enum class Phase : std::uint8_t { kSetup, kData, kCompute, kCollective, kCommit, kDone };
std::string_view name_of(Phase phase);

/// What one rank says of itself, once a second. All times are seconds of its own monotonic clock.
struct RankBeat {
  std::int32_t rank = 0;
  std::int64_t pid = 0;
  std::uint64_t beats = 0;       ///< grows while the process is scheduled, whatever its main thread waits for
  std::int64_t step = 0;         ///< finished steps
  std::int64_t total_steps = 0;  ///< 0: not known yet, or the stage does not train by steps
  Phase phase = Phase::kSetup;
  double seconds_in_phase = 0;
  std::uint64_t collectives = 0;  ///< entered so far: who is behind in a hang has the fewest
  std::int32_t queue_depth = 0;   ///< global batches read ahead
  std::uint64_t memory_bytes = 0;
  double step_seconds = 0;  ///< of the last finished step
  std::int32_t signal = 0;  ///< a stop signal that this rank caught; 0: none
  bool stopped = false;     ///< the kernel says so (state T): SIGSTOP, a debugger
  health::GpuLoad
      gpu{};            ///< of the GPU that it computes on, energy since it began; nothing known: it has none
  std::string stack{};  ///< of the main thread, where it was asked for
};

/// One node's ranks, lowest first; sent by its lowest rank for all of them.
struct NodeBeat {
  std::string host{};
  std::int64_t committed = 0;  ///< steps of the newest commit, as far as rank 0 is among them; else -1
  std::vector<RankBeat> ranks{};
};

/// from_json: DataError where a value is missing or of another type or range, for a peer may have sent it.
void to_json(nlohmann::json& json, const RankBeat& beat);
void from_json(const nlohmann::json& json, RankBeat& beat);
void to_json(nlohmann::json& json, const NodeBeat& beat);
void from_json(const nlohmann::json& json, NodeBeat& beat);

}  // namespace entrain::control
