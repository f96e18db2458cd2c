#pragma once
#include <string>
#include <vector>

#include "sharding/ingest/image_rows.hpp"
#include "sharding/temporary_file.hpp"

namespace entrain::sharding {

/// One JSON object per row: {"file", "verdict": kept | bad | duplicate, "row" in the output or "why"}. Mode 0600,
/// because names of files may name patients. Written under a temporary name, so that what can fail has failed before
/// the images take their name; commit() renames. CheckpointError where it cannot be written.
class VerdictsFile {
 public:
  VerdictsFile(const std::string& path, const std::vector<ImageRow>& rows);
  void commit() { file_.commit(); }

 private:
  TemporaryFile file_;
};

}  // namespace entrain::sharding
