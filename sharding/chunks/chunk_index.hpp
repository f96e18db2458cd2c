#pragma once
#include <cstdint>
#include <string>

#include "sharding/chunks/chunk_table.hpp"
#include "sharding/hdf5_storage.hpp"

namespace entrain::sharding {

/// How the elements of one dataset are to be read, found once; afterwards threads read with no lock. Never changed;
/// any thread may use it.
class ChunkIndex {
 public:
  enum class Way {
    kContiguous,  ///< from storage().offset of storage().file on; no offset: all is storage().fill
    kCompact,     ///< storage().compact
    kChunked,     ///< chunks(), in positions of grid()
    kLibrary,     ///< H5Dread, for the reason in how()
  };

  /// From the sidecar, if it has one of the file as it is; else asks libhdf5, walks the file, compares a sample with
  /// what libhdf5 reads, and leaves a sidecar where it took `worth_keeping` chunks or more. DataError "file:dataset: reason" where there is no such dataset, where the
  /// index in the file is damaged, and where the file changes meanwhile.
  static ChunkIndex open(const std::string& path, const std::string& dataset,
                         std::size_t worth_keeping = 16384);

  Way way() const { return way_; }
  /// For people: what the way is and how it was checked; for kLibrary why there is no better one.
  const std::string& how() const { return how_; }
  bool from_sidecar() const { return from_sidecar_; }
  const StorageDescription& storage() const { return storage_; }
  const ChunkGrid& grid() const { return grid_; }
  const ChunkTable& chunks() const { return chunks_; }

 private:
  ChunkIndex() = default;
  void choose(const StoredDataset& dataset);
  void index_chunks(const StoredDataset& dataset);
  void use_library(const std::string& reason);

  Way way_ = Way::kLibrary;
  std::string how_, verified_;
  bool from_sidecar_ = false;
  StorageDescription storage_;
  ChunkGrid grid_{{}, {}};
  ChunkTable chunks_;
};

}  // namespace entrain::sharding
