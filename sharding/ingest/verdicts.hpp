#pragma once
#include <string>
#include <vector>

#include "sharding/ingest/image_rows.hpp"

namespace entrain::sharding {

/// One JSON object per row: {"file", "verdict": kept | bad | duplicate, "row" in the output or "why"}. Mode 0600,
/// because names of files may name patients. Written under a temporary name and renamed.
void write_verdicts(const std::string& path, const std::vector<ImageRow>& rows);

}  // namespace entrain::sharding
