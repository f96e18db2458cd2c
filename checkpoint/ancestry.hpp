#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace entrain::checkpoint {

/// Tensor of a pretraining's checkpoint, where it began from other weights: hashes of the groups they had seen.
inline constexpr const char* kAncestorGroups = "lineage.ancestor_groups";

/// What a pretraining run began from, as its START records and manifests say ("began_from").
struct AncestorGroups {
  std::string from{};  ///< init.from; "scratch"
  std::string
      lineage{};  ///< none: from nothing | known | unknown: a file, which does not say whom it has seen
  std::vector<std::uint64_t> groups{};  ///< sorted
};

/// `facts`: "began_from" of a START; absent in ledgers of older runs, which then count as from nothing. The groups are
/// those of the newest whole checkpoint. CheckpointError: lineage is known, but no checkpoint is left that holds it.
AncestorGroups ancestor_groups(const std::string& run_dir, const nlohmann::json& facts);

}  // namespace entrain::checkpoint
