#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sharding/ingest/group_splits.hpp"
#include "sharding/ingest/picture.hpp"

namespace entrain::sharding {

/// 128 bits over size and decoded pixels (XXH3).
struct PixelDigest {
  std::uint64_t low = 0, high = 0;
  bool operator==(const PixelDigest&) const = default;
};
PixelDigest digest_of(const Picture& picture);

/// Finds images whose decoded pixels were met before.
class DuplicateFinder {
 public:
  /// The row that had these pixels first; none if this one is the first.
  std::optional<std::size_t> seen_before(const PixelDigest& digest, std::size_t row);

 private:
  struct Hash {
    std::size_t operator()(const PixelDigest& d) const { return d.low; }
  };
  std::unordered_map<PixelDigest, std::size_t, Hash> first_row_;
};

}  // namespace entrain::sharding
