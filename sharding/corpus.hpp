#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "configs/run_config.hpp"
#include "sharding/image_shape.hpp"

namespace entrain::sharding {

/// Where a sample is stored.
struct Place {
  std::string file;
  std::string dataset;
  std::int64_t row = 0;
};

/// The groups that data.exclude_groups leaves out.
struct Exclusion {
  std::string sha256;                 ///< of their hashes, sorted; empty: none are left out
  std::vector<std::uint64_t> groups;  ///< XXH3-64 of each id that the corpus has, sorted
  std::int64_t images = 0;            ///< rows left out
  std::vector<std::string> unknown;   ///< ids of the file that no row has
  std::vector<std::string>
      joined;  ///< "a (under b)": ids whose image stands under another group, which is left out too
};

struct CorpusTables;
class ImageReader;

/// Numbered samples out of any number of HDF5 files: [0, size()) in the order of files, then rows, after the
/// selection by split. Labels, groups, splits and sites are in memory; images are read one at a time.
/// Cheap to move and to take a subset of; subsets share the open files. Any thread may call.
class Corpus {
 public:
  /// Throws DataError for everything that cannot be used: no file, missing or ragged or wrong-rank dataset,
  /// files that disagree, a group that stands in two splits, a split that nobody has.
  static Corpus open(const DataSection& data);

  std::int64_t size() const;
  const ImageShape& shape() const;
  /// SHA-256, 64 hex digits, of shape, type, row counts, the bytes of a fixed sample of rows of each file,
  /// all groups, labels, splits and sites, and the selection by split. Not of path or time, nor of who is left out.
  const std::string& digest() const;
  const Exclusion& excluded() const;

  /// One image, HWC, host byte order, shape().bytes() long. DataError names file:dataset and row.
  void read(std::int64_t sample, std::byte* out) const;

  bool has_groups() const;
  bool has_labels() const;
  bool has_splits() const;
  bool has_sites() const;
  std::string_view group(std::int64_t sample) const;  ///< "" without groups
  std::string_view split(std::int64_t sample) const;  ///< "" without splits
  std::string_view site(std::int64_t sample) const;   ///< "" without sites
  /// Index into class_names(); -1: this row has no label.
  std::int64_t label(std::int64_t sample) const;
  const std::vector<std::string>& class_names() const;  ///< empty without labels
  /// Groups under which images of this one stand, because an equal image was kept once ("/group_alias" of the files).
  std::vector<std::string> kept_under(std::string_view group) const;
  /// XXH3-64 of the group's text; without groups, of the file's digest and the row.
  std::uint64_t group_hash(std::int64_t sample) const;
  Place place(std::int64_t sample) const;

  /// Those samples, in that order, as a corpus of its own; its digest covers this one's and the list.
  Corpus subset(std::span<const std::int64_t> samples) const;
  /// The samples that stand in this split, ascending.
  std::vector<std::int64_t> samples_of_split(std::string_view split) const;
  /// For people: how the files are read, and why not faster; of the first one, and how many differ.
  std::string how_read() const;
  /// Of each file: rows that are decoded together.
  std::vector<std::int64_t> rows_per_slab() const;
  std::int64_t slab_bytes() const;  ///< of the largest such slab, decoded; 0 where there is none
  /// Where these samples' slabs end, if those of each file (or of all) have so many rows: slab_ends.hpp.
  std::vector<std::int64_t> slab_ends(std::span<const std::int64_t> rows_per_slab) const;
  /// Rows left out by data.on_corrupt = skip.
  std::int64_t num_skipped() const;

 private:
  Corpus(std::shared_ptr<const CorpusTables> tables, std::vector<std::int64_t> samples, std::string digest);
  friend Corpus without_groups(const Corpus&, Exclusion);
  std::int64_t at(std::int64_t sample) const;

  std::shared_ptr<const CorpusTables> tables_;  // shared by subsets; never changed after open()
  std::vector<std::int64_t> samples_;           // row numbers over all files; ascending unless a subset
  std::string digest_;
  Exclusion excluded_;
};

/// The corpus without the rows of these groups (hashes); its digest stays. DataError if nothing is left.
Corpus without_groups(const Corpus& corpus, Exclusion exclusion);

}  // namespace entrain::sharding
