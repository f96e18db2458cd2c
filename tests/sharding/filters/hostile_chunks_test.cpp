// Chunks that were cut, damaged or made up: refused with a sentence, whatever they claim.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

#include "configs/error.hpp"
#include "sharding/filters/filter_pipeline.hpp"
#include "tests/sharding/filters/golden_chunks.hpp"

namespace entrain::sharding {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::ByteVector;
using tests::golden_chunk;
using tests::golden_chunks;
using tests::GoldenChunk;

// The error of decoding, "" if there is none. `stored` is as long as it is allocated: a sanitizer sees what is read beyond.
std::string error_of(const std::vector<Filter>& filters, std::uint32_t mask, ByteVector stored,
                     ByteVector& raw) {
  stored.shrink_to_fit();
  DecodeScratch scratch;
  try {
    FilterPipeline(filters, raw.size()).decode(stored, mask, raw, scratch);
  } catch (const DataError& e) {
    return e.what();
  }
  return "";
}
std::string error_of(int filter, std::vector<std::uint32_t> values, ByteVector stored,
                     std::size_t chunk_bytes) {
  ByteVector raw(chunk_bytes);
  return error_of({{filter, false, std::move(values), ""}}, 0, std::move(stored), raw);
}

ByteVector bytes_of(std::initializer_list<int> values) {
  ByteVector out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}
void append(ByteVector& to, std::uint64_t value, int bytes, bool big_endian) {
  for (int i = 0; i < bytes; ++i)
    to.push_back(static_cast<std::byte>(value >> 8 * (big_endian ? bytes - 1 - i : i)));
}
// The header that lz4 and bitshuffle share, and the stored size of the first block.
ByteVector framed(std::uint64_t total, std::uint32_t block, std::uint32_t stored) {
  ByteVector out;
  append(out, total, 8, true);
  append(out, block, 4, true);
  append(out, stored, 4, true);
  return out;
}
ByteVector blosc(int flags, int element, std::uint32_t raw, std::uint32_t block, std::uint32_t stored) {
  ByteVector out = bytes_of({2, 1, flags, element});
  append(out, raw, 4, false);
  append(out, block, 4, false);
  append(out, stored, 4, false);
  return out;
}

// Every prefix of a short chunk, some sixty of a long one.
TEST(HostileChunks, EveryGoldenChunkThatIsCutShortIsRefused) {
  int tried = 0;
  for (const GoldenChunk& chunk : golden_chunks()) {
    if (chunk.name == "gzip-trailing-smooth2") continue;  // its end may be missing
    ByteVector raw(chunk.raw.size());
    const std::size_t size = chunk.stored.size(), stride = std::max<std::size_t>(1, size / 50);
    for (std::size_t left = 0; left < size; left += left < 20 || size - left < 20 ? 1 : stride, ++tried)
      EXPECT_NE(
          error_of(chunk.filters, chunk.mask,
                   {chunk.stored.begin(), chunk.stored.begin() + static_cast<std::ptrdiff_t>(left)}, raw),
          "")
          << chunk.name << " cut to " << left << " of " << size;
  }
  EXPECT_GT(tried, 10000);
}

// Where there is a checksum it is refused, or the damaged bits are some that mean nothing.
TEST(HostileChunks, DamageIsRefusedWhereThereIsAChecksum) {
  int refused = 0;
  for (const GoldenChunk& chunk : golden_chunks()) {
    bool checksum = false;
    for (std::size_t i = 0; i < chunk.filters.size(); ++i)
      checksum |= !chunk.skips(i) && (chunk.filters[i].id == 1 || chunk.filters[i].id == 3);
    ByteVector raw(chunk.raw.size());
    for (std::size_t at = 0; at < chunk.stored.size(); at += 1 + chunk.stored.size() / 150) {
      ByteVector stored = chunk.stored;
      stored[at] ^= std::byte{1} << at % 8;
      const std::string error = error_of(chunk.filters, chunk.mask, stored, raw);
      if (checksum && error.empty()) {
        EXPECT_EQ(raw, chunk.raw) << chunk.name << " byte " << at;
      }
      refused += error.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 5000);
}

TEST(HostileChunks, AChunkOfAnotherSizeIsRefused) {
  for (const GoldenChunk& chunk : golden_chunks())
    for (const int more : {-1, 1}) {
      ByteVector raw(chunk.raw.size() + static_cast<std::size_t>(more));
      EXPECT_NE(error_of(chunk.filters, chunk.mask, chunk.stored, raw), "") << chunk.name << more;
    }
}

TEST(HostileChunks, TheErrorSaysWhatIsWrong) {
  const auto none = error_of(2, {2}, ByteVector(10), 12);
  EXPECT_EQ(none, "the chunk is stored in 10 bytes, wanted 12");
  EXPECT_THAT(error_of(1, {4}, ByteVector(50000), 12), HasSubstr("stored in 50000 bytes, wanted at most"));

  EXPECT_THAT(error_of(1, {4}, ByteVector(30), 12), StartsWith("deflate: the 30 stored bytes are damaged"));
  const GoldenChunk& gzip = golden_chunk("gzip-smooth2");
  EXPECT_THAT(error_of(1, {4}, gzip.stored, 9000), HasSubstr("inflate to more than 9000"));
  EXPECT_THAT(error_of(1, {4}, gzip.stored, 10000),
              StartsWith("deflate: the chunk unpacks to 9238 bytes, wanted 10000"));

  ByteVector summed = golden_chunk("fletcher-smooth2").stored;
  summed[77] ^= std::byte{1};
  EXPECT_THAT(error_of(3, {}, summed, summed.size() - 4),
              StartsWith("fletcher32: the checksum of 9238 bytes is "));
  ByteVector raw(9);
  EXPECT_EQ(error_of({{32000, true, {}, ""}, {3, false, {}, ""}}, 0, bytes_of({1, 7}), raw),
            "fletcher32: 2 bytes are too few to end in a checksum of 4");

  EXPECT_EQ(error_of(32000, {}, bytes_of({5, 1, 2}), 12), "lzf: cut short: 6 bytes are wanted at 1 of 3");
  EXPECT_EQ(error_of(32000, {}, bytes_of({0, 1, 32, 1}), 12),
            "lzf: byte 1 is to be a copy of what stands 2 before it");
  EXPECT_EQ(error_of(32000, {}, bytes_of({0, 1, 224, 200, 0}), 12),
            "lzf: the 5 stored bytes unpack to more than 12");
  EXPECT_EQ(error_of(32000, {}, bytes_of({0, 1, 224, 200}), 12),
            "lzf: cut short: 2 bytes are wanted at 3 of 4");

  EXPECT_EQ(error_of(32004, {}, ByteVector(11), 12), "lz4: 11 bytes are stored, the header alone has 12");
  EXPECT_EQ(error_of(32004, {}, framed(~0ull, 8, 1), 12),
            "lz4: the header claims 18446744073709551615 bytes, at most 12 are expected");
  EXPECT_EQ(error_of(32004, {}, framed(12, 0, 1), 12), "lz4: the header claims blocks of 0 bytes");
  EXPECT_EQ(error_of(32004, {}, framed(12, 8, 70000), 12), "lz4: block 0 claims 70000 bytes, 0 are left");
  EXPECT_EQ(error_of(32004, {}, framed(12, 8, 0), 12), "lz4: block 0: 0 stored bytes do not unpack to 8");

  EXPECT_THAT(error_of(32015, {}, ByteVector(30), 12), StartsWith("zstd: the 30 stored bytes do not begin"));
  EXPECT_THAT(error_of(32015, {}, bytes_of({0x28, 0xb5, 0x2f, 0xfd, 0}), 12),
              StartsWith("zstd: no whole frame in 5"));
  EXPECT_THAT(error_of(32015, {}, golden_chunk("zstd-smooth2").stored, 9000),
              HasSubstr("do not unpack to at most 9000"));

  const std::vector<std::uint32_t> lz4{0, 4, 2, 0, 2};
  EXPECT_EQ(error_of(32008, lz4, ByteVector(11), 32),
            "bitshuffle: 11 bytes are stored, the header alone has 12");
  EXPECT_THAT(error_of(32008, lz4, framed(64, 16, 1), 32),
              StartsWith("bitshuffle: 64 bytes in blocks of 8 elements"));
  EXPECT_THAT(error_of(32008, lz4, framed(31, 16, 1), 32),
              StartsWith("bitshuffle: 31 bytes in blocks of 8 elements"));
  EXPECT_THAT(error_of(32008, lz4, framed(32, 10, 1), 32),
              StartsWith("bitshuffle: 32 bytes in blocks of 5 elements"));
  EXPECT_EQ(error_of(32008, lz4, framed(32, 16, 99), 32), "bitshuffle: block 0 claims 99 bytes, 0 are left");
  EXPECT_EQ(error_of(32008, lz4, framed(32, 16, 0), 32),
            "bitshuffle: block 0: 0 stored bytes do not unpack to 16");

  EXPECT_EQ(error_of(32001, {}, ByteVector(15), 32), "blosc: 15 bytes are stored, the header alone has 16");
  EXPECT_THAT(error_of(32001, {}, blosc(0, 1, 64, 64, 16), 32),
              StartsWith("blosc: the header claims 64 bytes"));
  EXPECT_THAT(error_of(32001, {}, blosc(0, 1, 32, 0, 16), 32),
              StartsWith("blosc: the header claims 32 bytes in blocks of 0"));
  EXPECT_THAT(error_of(32001, {}, blosc(0, 1, 32, 1 << 30, 16), 32), HasSubstr("in blocks of 1073741824"));
  EXPECT_THAT(error_of(32001, {}, blosc(0, 0, 32, 32, 16), 32), StartsWith("blosc: the header claims"));
  EXPECT_THAT(error_of(32001, {}, blosc(0, 1, 32, 32, 4000), 32),
              HasSubstr("stored in 4000; wanted at most 32, and 16"));
  EXPECT_EQ(error_of(32001, {}, blosc(0, 1, 32, 32, 16), 32),
            "blosc: the 16 stored bytes do not unpack to 32 (codec BloscLZ)");
}

// Its own codec would set some 2^64 bytes.
TEST(HostileChunks, AMatchOfBloscThatNeverEndsIsRefused) {
  constexpr std::uint32_t kRaw = 8 << 20, kRun = 8421600, kPayload = 3 + kRun + 3;
  ByteVector stored = blosc(0x10, 1, kRaw, kRaw, 16 + 4 + 4 + kPayload);
  append(stored, 20, 4, false);        // where block 0 begins
  append(stored, kPayload, 4, false);  // its stored bytes
  append(stored, 0xe06100, 3, false);  // a literal, and a copy of it whose length goes on
  stored.insert(stored.end(), kRun, std::byte{0xff});
  stored.resize(stored.size() + 3);
  EXPECT_THAT(error_of(32001, {}, stored, kRaw), StartsWith("blosc: the 8421630 stored bytes do not unpack"));
}

}  // namespace
}  // namespace entrain::sharding
