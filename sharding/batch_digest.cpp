#include "sharding/batch_digest.hpp"

#include <xxhash.h>

#include <bit>
#include <charconv>
#include <cstdio>
#include <type_traits>

namespace entrain::sharding {

static_assert(std::endian::native == std::endian::little && sizeof(Slot) == 16 &&
              std::has_unique_object_representations_v<Slot>);

BatchDigest& BatchDigest::operator+=(const BatchDigest& other) {
  low += other.low;
  high += other.high;
  return *this;
}

std::string BatchDigest::hex() const {
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text;
}

std::optional<BatchDigest> BatchDigest::from_hex(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  BatchDigest digest;
  const auto read = [&](std::size_t at, std::uint64_t& word) {
    const char* end = text.data() + at + 16;
    return std::from_chars(text.data() + at, end, word, 16).ptr == end;
  };
  if (!read(0, digest.high) || !read(16, digest.low)) return std::nullopt;
  return digest;
}

BatchDigest digest_of_lane(std::int64_t lane, std::span<const Slot> slots) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(slots.data(), slots.size_bytes(), static_cast<XXH64_hash_t>(lane));
  return {hash.low64, hash.high64};
}

}  // namespace entrain::sharding
