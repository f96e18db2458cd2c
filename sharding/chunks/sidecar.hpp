#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sharding/chunks/chunk_table.hpp"
#include "sharding/chunks/mapped_file.hpp"
#include "sharding/hdf5_storage.hpp"

namespace entrain::sharding {

/// Which content of which dataset an index is of. An index of another content is never used; a file that was moved or
/// copied with its time keeps its index.
struct IndexKey {
  std::string file;     ///< canonical path, now
  std::string dataset;  ///< its name within the file
  FileState state;
  std::vector<std::byte> superblock;

  /// Of the file as it is now. DataError where it is no HDF5 file that can be read here.
  static IndexKey of(const std::string& file, const std::string& dataset);
  bool same_content(const IndexKey& other) const {
    return dataset == other.dataset && state == other.state && superblock == other.superblock;
  }
};

/// The index of one chunked dataset.
struct IndexContent {
  StorageDescription storage;
  ChunkTable chunks;
  std::string verified;  ///< how it was checked, for people
};

/// The index that lies beside the data or in the user's cache, mapped, not copied. Nothing where there is none of this
/// content; one that cannot be trusted (cut off, bits flipped, an older format) is warned of and left out.
std::optional<IndexContent> read_sidecar(const IndexKey& key);

/// Writes it beside the data, or into the user's cache where that folder cannot be written; returns its path. Empty:
/// nothing was written, with a warning where neither could be, without where the data are so young that a change would
/// not show in their time.
std::string write_sidecar(const IndexKey& key, const IndexContent& content);

/// Where an index may lie, in the order in which it is looked for: FOLDER/.FILE.HASH.entrain-index and
/// $XDG_CACHE_HOME/entrain/index/HASH.entrain-index (or ~/.cache/...).
std::vector<std::string> sidecar_paths(const IndexKey& key);

}  // namespace entrain::sharding
