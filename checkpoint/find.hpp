#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace entrain::checkpoint {

/// A committed checkpoint every byte of which is what its manifest says.
struct Found {
  std::int64_t step = 0;
  std::string dir{};  ///< RUN/checkpoints/step-00001200
  nlohmann::json manifest{};
  /// Newer ones that were not taken, with the reason: "step-00000016: shard-0001.safetensors: sha256 is ..".
  std::vector<std::string> passed_over{};
};

/// The names in a folder, sorted; empty where there is no such folder.
std::vector<std::string> names_in(const std::string& folder);

/// The names step-* in RUN/checkpoints, highest step first; empty where there is no such folder.
std::vector<std::int64_t> committed_steps(const std::string& run_dir);

/// Reads back every byte, newest first, until one is whole. Changes nothing.
std::optional<Found> newest_whole(const std::string& run_dir);

/// A run directory (its newest whole checkpoint) or a step directory (which must be whole). CheckpointError
/// says what was looked for and what was found instead.
Found open_checkpoint(const std::string& run_or_step_dir);

}  // namespace entrain::checkpoint
