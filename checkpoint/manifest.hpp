#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/shard.hpp"

namespace entrain::checkpoint {

inline constexpr int kFormatVersion = 1;

/// "step-00001200"
std::string step_name(std::int64_t step);
/// The step of such a name; nothing for any other name.
std::optional<std::int64_t> parse_step_name(const std::string& name);

/// The text of manifest.json: `facts` (the caller's) and what the votes say, sorted keys, closed by the
/// SHA-256 of everything else, so that a flipped bit in it is seen too. CheckpointError: two shards claim one
/// tensor.
std::string manifest_text(std::int64_t step, int world, const std::vector<ShardVote>& votes,
                          const nlohmann::json& facts);

/// Reads STEP_DIR/manifest.json and checks its own digest. CheckpointError.
nlohmann::json read_manifest(const std::string& step_dir);

/// What is wrong with a checkpoint folder; empty: every byte is what the manifest says. Reads everything.
/// "shard-0001.safetensors: sha256 is ab.. but manifest says cd.. (block 3)"
std::vector<std::string> problems_of(const std::string& step_dir, const nlohmann::json& manifest);

/// What keeps a checkpoint folder from being resumed, in one text; empty: nothing. Fills `manifest` as far as it
/// can be read. Reads everything.
std::string why_broken(const std::string& step_dir, nlohmann::json& manifest);

}  // namespace entrain::checkpoint
