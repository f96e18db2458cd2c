// What h5py and hdf5plugin stored is unpacked to what they were given. The file was made, and checked by libhdf5, by
// tests/reference/sharding/make_filters.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "configs/error.hpp"
#include "sharding/filters/filter_pipeline.hpp"
#include "tests/sharding/filters/allocations.hpp"
#include "tests/sharding/filters/golden_chunks.hpp"

namespace entrain::sharding {
namespace {

using tests::ByteVector;
using tests::golden_chunk;
using tests::golden_chunks;
using tests::GoldenChunk;

constexpr std::size_t kGuardBytes = 64;
constexpr std::byte kGuard{0xa5};

// Also sees that nothing was written around `raw`.
ByteVector decoded(const GoldenChunk& chunk, std::uint32_t mask, DecodeScratch& scratch) {
  const FilterPipeline pipeline(chunk.filters, chunk.raw.size());
  EXPECT_EQ(pipeline.needs_library(), "");
  ByteVector room(chunk.raw.size() + 2 * kGuardBytes, kGuard);
  pipeline.decode(chunk.stored, mask, std::span(room).subspan(kGuardBytes, chunk.raw.size()), scratch);
  const auto first = room.begin() + kGuardBytes, last = room.end() - kGuardBytes;
  EXPECT_TRUE(std::all_of(room.begin(), first, [](std::byte b) { return b == kGuard; }));
  EXPECT_TRUE(std::all_of(last, room.end(), [](std::byte b) { return b == kGuard; }));
  return {first, last};
}

TEST(FilterPipeline, UnpacksEveryGoldenChunk) {
  DecodeScratch scratch;
  std::map<int, int> seen;  // by filter, where it was not skipped
  for (const GoldenChunk& chunk : golden_chunks()) {
    SCOPED_TRACE(chunk.name);
    EXPECT_EQ(decoded(chunk, chunk.mask, scratch), chunk.raw);
    for (std::size_t i = 0; i < chunk.filters.size(); ++i)
      if (!chunk.skips(i)) ++seen[chunk.filters[i].id];
  }
  for (const int id : {1, 2, 3, 32000, 32001, 32004, 32008, 32015})
    EXPECT_GE(seen[id], 15) << "filter " << id;
}

TEST(FilterPipeline, NoneIsACopy) {
  DecodeScratch scratch;
  GoldenChunk chunk = golden_chunk("gzip-smooth2");
  chunk.filters.clear();
  chunk.stored = chunk.raw;
  EXPECT_EQ(decoded(chunk, 0, scratch), chunk.raw);
  EXPECT_EQ(FilterPipeline({}, chunk.raw.size()).most_stored_bytes(), chunk.raw.size());
}

TEST(FilterPipeline, TheMaskOfTheChunkCounts) {
  DecodeScratch scratch;
  std::set<std::uint32_t> masks;
  for (const GoldenChunk& chunk : golden_chunks()) {
    if (chunk.name.substr(0, 4) != "mask") continue;
    SCOPED_TRACE(chunk.name);
    masks.insert(chunk.mask);
    for (std::uint32_t other = 0; other < 8; ++other) {
      if (other == chunk.mask || other == (chunk.mask | 4))
        continue;  // a checksum after a zlib stream is no part of it
      ByteVector got;
      try {
        got = decoded(chunk, other, scratch);
      } catch (const DataError&) {
      }
      EXPECT_NE(got, chunk.raw) << "with mask " << other;
    }
  }
  EXPECT_EQ(masks.size(), 7u);
  EXPECT_EQ(golden_chunk("lzf-noise1").mask, 1u) << "an optional filter that did not pay";
}

TEST(FilterPipeline, BoundsWhatIsStored) {
  std::size_t grown = 0;
  for (const GoldenChunk& chunk : golden_chunks()) {
    SCOPED_TRACE(chunk.name);
    EXPECT_LE(chunk.stored.size(), FilterPipeline(chunk.filters, chunk.raw.size()).most_stored_bytes());
    if (chunk.stored.size() > chunk.raw.size()) ++grown;
  }
  EXPECT_GT(grown, 20u) << "without chunks that grew the bound is not tested";
  EXPECT_GT(golden_chunk("lz4b3-noise1").stored.size(), 2 * golden_chunk("lz4b3-noise1").raw.size());
  // Ten times the most that was measured, but no more than a few times the chunk.
  EXPECT_LT(FilterPipeline({{1, true, {4}, ""}, {3, false, {}, ""}}, 1 << 20).most_stored_bytes(),
            (1 << 20) * 3 / 2);
}

TEST(FilterPipeline, NamesTheFilterThatNeedsTheLibrary) {
  struct Case {
    std::vector<Filter> filters;
    const char* why;
  };
  const Case cases[] = {
      {{{4, false, {141, 8}, "szip"}}, "szip (4)"},
      {{{2, false, {2}, ""}, {5, false, {}, "nbit"}, {1, false, {4}, ""}}, "nbit (5)"},
      {{{6, false, {}, ""}}, "scaleoffset (6)"},
      {{{32013, true, {}, "H5Z-ZFP"}}, "zfp (32013)"},
      {{{32026, true, {}, ""}}, "blosc2 (32026)"},
      {{{32999, true, {}, ""}}, "filter (32999)"},
      {{{32999, true, {}, "mine\n\x1b[2J"}}, "mine??[2J (32999)"},
      {{{2, false, {}, ""}}, "shuffle (2) without an element size"},
      {{{2, false, {0}, ""}}, "shuffle (2) without an element size"},
      {{{32008, false, {0, 4}, ""}}, "bitshuffle (32008) without an element size"},
      {{{32008, false, {0, 4, 0}, ""}}, "bitshuffle (32008) without an element size"},
      {{{32008, false, {0, 4, 2, 12}, ""}}, "bitshuffle (32008) with blocks of 12 elements"},
      {{{32008, false, {0, 4, 2, 0, 9}, ""}}, "bitshuffle (32008) with codec 9"},
      {std::vector<Filter>(3, {1, true, {4}, ""}), "more than 2 compressing filters"},
      {std::vector<Filter>(33, {3, true, {}, ""}), "33 filters"},
  };
  for (const Case& c : cases) EXPECT_EQ(FilterPipeline(c.filters, 4096).needs_library(), c.why);
}

TEST(FilterPipeline, NothingIsAllocatedOnceTheScratchHasGrown) {
  DecodeScratch scratch;
  std::size_t counted = 0;
  for (int round = 0; round < 2; ++round) {
    for (const GoldenChunk& chunk : golden_chunks()) {
      const FilterPipeline pipeline(chunk.filters, chunk.raw.size());
      ByteVector raw(chunk.raw.size());
      const std::size_t before = tests::allocations();
      pipeline.decode(chunk.stored, chunk.mask, raw, scratch);
      const std::size_t now = tests::allocations() - before;
      EXPECT_TRUE(round == 0 || now == 0) << chunk.name << ": " << now;
      counted += now;
    }
  }
  EXPECT_GT(counted, 0u) << "a count that never moves proves nothing";
}

TEST(FilterPipeline, OneFilterNeedsNoBufferAndTwoNeedOne) {
  const auto buffers = [](const char* name) {
    const GoldenChunk& chunk = golden_chunk(name);
    const FilterPipeline pipeline(chunk.filters, chunk.raw.size());
    DecodeScratch scratch;
    ByteVector raw(chunk.raw.size());
    const std::size_t before = tests::allocations();
    pipeline.decode(chunk.stored, chunk.mask, raw, scratch);
    return tests::allocations() - before;
  };
  for (const char* one : {"gzip-smooth2", "lzf-smooth2", "shuffle-smooth2", "fletcher-smooth2", "lz4-smooth2",
                          "zstd-smooth2", "mask1-smooth2", "mask2-smooth2"})
    EXPECT_EQ(buffers(one), 0u) << one;
  for (const char* two : {"shuffle-gzip-fletcher-smooth2", "shuffle-lzf-smooth2", "fletcher-gzip-smooth2"})
    EXPECT_EQ(buffers(two), 1u) << two;
  EXPECT_EQ(buffers("shuffle-lzf-shuffle-gzip-smooth4"), 2u);
}

}  // namespace
}  // namespace entrain::sharding
