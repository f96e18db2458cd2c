#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sharding/sample_plan.hpp"

namespace entrain::sharding {

/// 128-bit digest of a global batch. It adds up over lanes: every rank digests its own lanes, and the sum over ranks is
/// the same for any number of them.
struct BatchDigest {
  std::uint64_t low = 0, high = 0;
  BatchDigest& operator+=(const BatchDigest& other);
  bool operator==(const BatchDigest&) const = default;
  std::string hex() const;  ///< 32 digits
  static std::optional<BatchDigest> from_hex(std::string_view text);
};

/// XXH3-128, seeded by the lane, of its (sample, epoch) pairs as 64-bit little-endian numbers.
BatchDigest digest_of_lane(std::int64_t lane, std::span<const Slot> slots);

}  // namespace entrain::sharding
