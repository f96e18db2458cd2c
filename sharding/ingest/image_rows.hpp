#pragma once
#include <string>
#include <vector>

#include "sharding/ingest/file_source.hpp"

namespace entrain::sharding {

struct IngestImagesOptions;

/// One image to be ingested, as the CSV or the folders describe it, and what became of it.
struct ImageRow {
  std::string file, group, label, split, site;  ///< "" where not asked for
  enum class Verdict { kKept, kBad, kDuplicate } verdict = Verdict::kKept;
  std::string why;  ///< of a verdict other than kept
};

/// Rows in the order of the CSV, or of the file names. A row without a file, label or group is marked bad here.
/// DataError for a missing column and for a split column in which a group stands in two splits.
std::vector<ImageRow> collect_rows(const IngestImagesOptions& options, const FileSource& source);

}  // namespace entrain::sharding
