#include "checkpoint/ancestry.hpp"

#include <algorithm>
#include <cstring>

#include "checkpoint/find.hpp"
#include "checkpoint/reader.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {

AncestorGroups ancestor_groups(const std::string& run_dir, const nlohmann::json& facts) {
  AncestorGroups result{"scratch", "none", {}};
  if (!facts.is_object()) return result;
  result.from = facts.value("from", result.from);
  result.lineage = facts.value("lineage", result.lineage);
  if (result.lineage != "known") return result;
  const auto found = newest_whole(run_dir);
  if (!found)
    throw CheckpointError(cat("it began from ", result.from,
                              ", and no checkpoint is left that says whom those weights had seen"));
  const CheckpointReader reader(found->dir);
  if (!reader.has(kAncestorGroups)) return result;
  const TensorView& view = reader.view(kAncestorGroups);
  result.groups.resize(view.bytes() / sizeof(std::uint64_t));
  std::memcpy(result.groups.data(), view.data, view.bytes());
  std::sort(result.groups.begin(), result.groups.end());
  return result;
}

}  // namespace entrain::checkpoint
