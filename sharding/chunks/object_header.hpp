#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sharding/chunks/file_view.hpp"

// After the HDF5 file format specification, version 3.0, sections II.A, IV.A.1 and IV.A.2.i. No libhdf5.
namespace entrain::sharding {

/// Where an HDF5 file begins and how it counts.
struct Superblock {
  unsigned version = 0;
  /// The bytes in front of it, the "user block". All addresses in the file count from here: the base address that the
  /// superblock itself names is not kept up to date by tools that put bytes in front, and libhdf5 ignores it.
  std::uint64_t base = 0;
  std::span<const std::byte> stored;  ///< as it lies in the file
};
/// DataError where there is none, or of a version or with widths of addresses that are not read here.
Superblock read_superblock(const FileView& file);

/// How the bytes of a dataset lie in the file, as its object header says.
struct DataLayout {
  enum class Kind { kCompact = 0, kContiguous = 1, kChunked = 2, kVirtual = 3 };
  unsigned version = 0;
  Kind kind = Kind::kContiguous;  ///< of versions 3 and above; the rest is filled in for version 3 alone
  std::optional<std::uint64_t>
      address;  ///< of the data or the chunk tree, from the file's first byte; none: never written
  std::uint64_t bytes = 0;           ///< contiguous
  std::vector<std::uint32_t> chunk;  ///< chunked: in elements, and last the bytes of an element
};
/// `object_header`: address of a dataset's header as libhdf5 gives it (without the user block). DataError where it is
/// damaged or has no layout.
DataLayout read_layout(const FileView& file, const Superblock& superblock, std::uint64_t object_header);

}  // namespace entrain::sharding
