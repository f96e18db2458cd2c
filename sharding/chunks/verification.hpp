#pragma once
#include <string>

#include "sharding/chunks/chunk_table.hpp"
#include "sharding/filters/filter_pipeline.hpp"
#include "sharding/hdf5_storage.hpp"

namespace entrain::sharding {

/// What a comparison with libhdf5 gave.
struct Verification {
  std::string mismatch;  ///< what differs and where; empty: nothing does
  std::string verified;  ///< what was compared, for people
};

/// Reads the first chunk, the last, one at an edge, one that was never written and eight others, by the table and by
/// libhdf5, and compares all their elements, at most 64 MiB of them but at least one chunk. Where libhdf5 lacks a filter
/// the stored bytes are compared.
Verification verify_chunks(const StoredDataset& dataset, const ChunkGrid& grid, const ChunkTable& chunks,
                           const FilterPipeline& filters);

/// The same for data in one piece (Layout::kContiguous and kExternal): its beginning, middle and end.
Verification verify_contiguous(const StoredDataset& dataset);

}  // namespace entrain::sharding
