#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/hdf5_library.hpp"

// Private to sharding, like hdf5_library.hpp. Call all of it under an Hdf5Lock.
namespace entrain::sharding {

/// Text of variable length: a dataset or attribute holds references, the characters lie in "global heaps" anywhere in
/// the file. libhdf5 1.10 believes what a damaged heap says of itself and dies (H5HG_read), so the heaps are read
/// here, with checks, after section III.E of the HDF5 file format specification, version 3.0.
class TextHeaps {
 public:
  /// Of the file in which `object`, a dataset or attribute, lies; `where` names it in messages. DataError where the
  /// file is not read through plain system calls.
  TextHeaps(hid_t object, std::string where);

  /// A type to read references as: H5Dread and H5Aread then hand them out as they are stored.
  hid_t reference_type() const { return reference_type_; }
  std::size_t reference_bytes() const { return 8 + address_bytes_; }
  /// Valid until the next call. DataError where the heap is damaged.
  std::string_view text(const std::byte* reference);

 private:
  struct Heap {
    std::vector<std::byte> bytes;
    std::map<std::uint64_t, std::pair<std::size_t, std::size_t>> objects;  // index -> offset, bytes
  };
  const Heap& heap_at(std::uint64_t address);
  Heap read_heap(std::uint64_t address) const;
  void read_at(std::uint64_t address, std::byte* out, std::size_t bytes) const;
  [[noreturn]] void damaged(std::uint64_t address, const std::string& how) const;

  std::string where_;
  H5File file_;
  H5Type reference_type_;
  int descriptor_ = -1;  // libhdf5's own
  std::uint64_t base_ = 0, file_bytes_ = 0;
  std::size_t address_bytes_ = 0, size_bytes_ = 0;
  std::map<std::uint64_t, Heap> heaps_;
  std::size_t cached_bytes_ = 0;
};

}  // namespace entrain::sharding
