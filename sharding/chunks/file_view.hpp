#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {

/// The bytes of a whole file, mapped or in memory. Nothing outside them is ever read.
class FileView {
 public:
  explicit FileView(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t size() const { return bytes_.size(); }
  /// `count` bytes from `at` on; `what` they are goes into the DataError where the file ends before.
  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t count, std::string_view what) const {
    if (at > bytes_.size() || count > bytes_.size() - at)
      throw DataError(cat(what, " at byte ", at, " has ", count, " bytes, but the file ends at byte ",
                          bytes_.size(), "; the file is damaged or cut off, make or copy it again"));
    return bytes_.subspan(at, count);
  }

 private:
  std::span<const std::byte> bytes_;
};

/// The little-endian number that begins there.
template <typename T>
T load(const std::byte* at) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace entrain::sharding
