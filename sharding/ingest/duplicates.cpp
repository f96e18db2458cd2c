#include "sharding/ingest/duplicates.hpp"

#include <xxhash.h>

namespace entrain::sharding {

PixelDigest digest_of(const Picture& p) {
  const auto seed = static_cast<std::uint64_t>(p.width) << 32 ^ static_cast<std::uint64_t>(p.height) << 8 ^
                    static_cast<std::uint64_t>(p.channels) ^ static_cast<std::uint64_t>(p.white) << 48;
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(p.values.data(), p.values.size() * sizeof(p.values[0]), seed);
  return {hash.low64, hash.high64};
}

std::optional<std::size_t> DuplicateFinder::seen_before(const PixelDigest& digest, std::size_t row) {
  const auto [at, is_new] = first_row_.emplace(digest, row);
  return is_new ? std::nullopt : std::optional(at->second);
}

}  // namespace entrain::sharding
