#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "configs/run_config.hpp"
#include "sharding/image_reader.hpp"

namespace entrain::sharding {

/// One text per row of all files, as an index into the different texts: 4 bytes a row.
class TextColumn {
 public:
  bool present() const { return !index_.empty(); }
  const std::string& text(std::int64_t row) const { return texts_[index_[static_cast<std::size_t>(row)]]; }
  const std::vector<std::uint32_t>& indices() const { return index_; }
  std::uint32_t index(std::int64_t row) const { return index_[static_cast<std::size_t>(row)]; }
  const std::vector<std::string>& texts() const { return texts_; }  ///< in order of first appearance
  std::int64_t size() const { return static_cast<std::int64_t>(index_.size()); }
  void append(std::string_view text);

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<std::string> texts_;
  std::vector<std::uint32_t> index_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> number_;
};

/// What is known of every row of every file without reading images. Read once, never changed after.
struct CorpusTables {
  std::unique_ptr<ImageReader> images;
  std::vector<std::string> file_digests;  ///< SHA-256 of shape, rows and a sample of rows, one per file
  TextColumn groups, splits, sites;
  /// "/group_alias" of all files, "a\tb": an image of group a stands in the files only once, under group b.
  std::multimap<std::string, std::string, std::less<>> group_aliases;
  std::vector<std::uint64_t> group_hashes;  ///< one per different group
  std::vector<std::int32_t> labels;         ///< index into class_names, -1 none; empty without labels
  std::vector<std::string> class_names;
  std::int64_t num_skipped = 0;
};

/// Opens all files and reads their tables; checks that files agree and that no group stands in two splits.
CorpusTables read_tables(const DataSection& data);

}  // namespace entrain::sharding
