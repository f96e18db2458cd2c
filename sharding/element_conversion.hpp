#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "sharding/hdf5_file.hpp"
#include "sharding/image_shape.hpp"

namespace entrain::sharding {

/// Numbers as a file has them.
struct StoredElement {
  StoredKind kind = StoredKind::kOther;
  std::size_t bytes = 0;
  bool big_endian = false;
};

/// As which type such numbers are handed out: 8 and 16 unsigned bits as they are, all other integers up to 32 bits and
/// floats of 16, 32 and 64 bits as float. Nothing for all else.
std::optional<ElementType> handed_out_as(const StoredElement& element);

/// Whether the bytes in the file are those that are handed out.
bool needs_no_conversion(const StoredElement& element);

/// `stored` to host numbers of handed_out_as(element). `out` has room for as many numbers and may be `stored` itself where
/// both are of one size.
void convert_elements(const StoredElement& element, std::span<const std::byte> stored, std::byte* out);

}  // namespace entrain::sharding
