#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "sharding/corpus.hpp"

namespace entrain::sharding {

/// XXH3-64 of the bytes of each image in [first, first + count): those that ingest stored (Hdf5Writer::kHashes), of which
/// it looks after some; else it reads all the images. DataError, also where a stored one is not the image's.
std::vector<std::uint64_t> content_hashes(const Corpus& corpus, std::int64_t first, std::int64_t count);

/// Which samples must not meet in a batch: those of one group, and those of equal bytes, and whatever follows from both.
/// One class number per sample: 0, 1, ... in order of first appearance. `content`: content_hashes() of all samples.
std::vector<std::uint32_t> batch_classes(const Corpus& corpus, std::span<const std::uint64_t> content);

}  // namespace entrain::sharding
