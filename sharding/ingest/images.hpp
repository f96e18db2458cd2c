#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sharding/ingest/group_splits.hpp"
#include "sharding/ingest/resize.hpp"

namespace entrain::sharding {

/// `entrain ingest images`: image files of a tar archive or a folder become one HDF5 file.
struct IngestImagesOptions {
  std::string tar, folder;  ///< one of them
  std::string csv;          ///< one row per image; empty: all files of the source
  std::string path_column = "file", group_column, label_column, site_column, split_column;
  bool label_from_folder = false;  ///< class = name of the folder an image lies in
  bool split_from_folder = false;  ///< split = name of the topmost folder
  std::string out;
  std::int64_t px = 224;
  enum class Colour {
    kAuto,
    kGrey,
    kRgb
  } colour = Colour::kAuto;  ///< auto: grey if the first images all are
  Fit fit = Fit::kCrop;
  Window window;
  std::optional<SplitShares> make_split;
  std::uint64_t split_seed = 1;
  std::optional<std::string> limit_errors;  ///< "1%" or "25"; without: 0.1 % or 10, whichever is larger
  bool keep_duplicates = false, overwrite = false, dry_run = false;
};

/// What was done; counts of images, first bad files.
struct IngestReport {
  std::int64_t rows = 0, kept = 0, bad = 0, duplicates = 0, duplicates_of_other_label = 0;
  std::int64_t not_in_csv = 0;  ///< image files of the source that no row names
  std::int64_t coloured = 0;    ///< colour images turned grey
  std::int64_t groups = 0;
  std::int64_t dim_16_bit = 0;  ///< 16-bit images that stay below 1/8 of the range: a window is missing
  std::vector<std::string> first_bad;  ///< "file: reason", at most ten
  std::set<std::pair<std::string, std::string>>
      group_aliases;  ///< a group one of whose images stands under another, equal one's group; that one
  std::vector<std::string> joined_groups;  ///< "a + b": different groups with one image, at most ten
  std::vector<std::string> class_names, split_names;
  std::map<std::pair<std::string, std::string>, std::pair<std::int64_t, std::int64_t>>
      table;  ///< (split, class) -> images, groups
  std::string colour, verdicts, out;
  std::int64_t bytes = 0;
  double seconds = 0;
};

/// Reads, checks, resizes and writes; see README.md for the file. Nothing is written on an error but the verdicts
/// (OUT.verdicts.jsonl, one line per row, mode 0600: it names files). ConfigError for options that do not go
/// together, and an `out` that is a source; DataError for columns, straddling groups, and more bad files than the
/// budget; CheckpointError for an `out` that cannot be written.
IngestReport ingest_images(const IngestImagesOptions& options);

}  // namespace entrain::sharding
