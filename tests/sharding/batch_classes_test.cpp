// Who must not meet in a batch (batch_classes), the hashes that ingest stores for it, and what the ledger records of a batch.
#include "sharding/batch_classes.hpp"

#include <gmock/gmock.h>
#include <xxhash.h>

#include "sharding/batch_digest.hpp"
#include "sharding/hdf5_file.hpp"
#include "sharding/hdf5_writer.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(BatchClasses, UniteGroupsAndEqualImagesAndWhatFollowsFromBoth) {
  const TemporaryFolder folder;
  {
    TestFile f(folder / "f.h5");
    std::vector<std::uint8_t> pixels;
    for (const int image : {1, 2, 3, 4, 2, 5, 6})  // 1 and 4 are equal
      for (int i = 0; i < 16; ++i) pixels.push_back(static_cast<std::uint8_t>(image * 16 + i));
    f.bytes("/images", {7, 4, 4}, pixels);
    f.texts("/group", {"a", "a", "b", "c", "b", "d", "e"});
  }
  const Corpus corpus = Corpus::open(data_of(folder / "f.h5"));
  const auto content = sharding::content_hashes(corpus, 0, 7);
  EXPECT_EQ(content[1], content[4]);
  EXPECT_NE(content[1], content[0]);
  EXPECT_EQ(sharding::content_hashes(corpus, 2, 3)[2], content[4]);
  // a = {0, 1}, 1 equals 4, b = {2, 4}: one class of 0, 1, 2, 4.
  EXPECT_THAT(sharding::batch_classes(corpus, content), ElementsAre(0, 0, 0, 1, 0, 2, 3));
  std::vector<std::uint64_t> all_different{1, 2, 3, 4, 5, 6, 7};
  EXPECT_THAT(sharding::batch_classes(corpus, all_different), ElementsAre(0, 0, 1, 2, 1, 3, 4));
}

// What ingest stores beside the images is what reading them gives, for every type; whoever changed one of both shows.
class StoredHashes : public testing::Test {
 protected:
  std::vector<std::byte> write(const std::string& file, const sharding::ImageShape& shape, std::int64_t rows,
                               const std::string& images = "/images") {
    std::vector<std::byte> bytes(shape.bytes() * static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * i % 61);  // no NaN
    sharding::Hdf5Writer writer(folder_ / file, true);
    writer.create_images(images, shape, rows, sharding::Hdf5Writer::Storage::kContiguous);
    writer.append_images(bytes.data(), rows / 2);
    writer.append_images(bytes.data() + shape.bytes() * static_cast<std::size_t>(rows / 2), rows - rows / 2);
    writer.commit();
    return bytes;
  }
  Corpus open(const std::string& file) { return Corpus::open(data_of(folder_ / file)); }
  TemporaryFolder folder_;
};

TEST_F(StoredHashes, AreThoseOfTheImagesAndSpareReadingThem) {
  using sharding::ElementType;
  bool large = false;
  for (const auto& shape : {sharding::ImageShape{4, 5, 1, ElementType::kU8},
                            {4, 5, 3, ElementType::kU16},
                            {4, 5, 1, ElementType::kF32}}) {
    const auto bytes = write("f.h5", shape, 9);
    const auto stored = sharding::Hdf5File(folder_ / "f.h5").unsigned_integers("/xxh3");
    ASSERT_EQ(stored.size(), 9U);
    for (std::size_t row = 0; row < 9; ++row) {
      EXPECT_EQ(stored[row], XXH3_64bits(bytes.data() + row * shape.bytes(), shape.bytes()));
      large |= stored[row] > std::uint64_t{1} << 63;
    }
    EXPECT_EQ(sharding::content_hashes(open("f.h5"), 2, 7), std::vector(stored.begin() + 2, stored.end()));
  }
  EXPECT_TRUE(large) << "libhdf5 would clip such where they are read as signed";
  write("other.h5", {4, 5, 1, ElementType::kU8}, 3, "/other");
  EXPECT_FALSE(sharding::Hdf5File(folder_ / "other.h5").has("/xxh3")) << "they are of /images";
}

// 1,000 images: 66 of them are read. A hash changed elsewhere is believed, so that one sees it was not computed anew.
TEST_F(StoredHashes, AreBelievedButLookedAfter) {
  const auto spoil = [&](std::uint64_t row, std::uint64_t by) {
    auto hashes = sharding::Hdf5File(folder_ / "f.h5").unsigned_integers("/xxh3");
    hashes[row] += by;
    const hid_t file = H5Fopen((folder_ / "f.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, "/xxh3", H5P_DEFAULT);
    ASSERT_GE(H5Dwrite(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, hashes.data()), 0);
    H5Dclose(set);
    H5Fclose(file);
  };
  write("f.h5", {4, 5, 1, sharding::ElementType::kU8}, 1000);
  const auto right = sharding::content_hashes(open("f.h5"), 0, 1000);
  spoil(1, 1);
  auto believed = right;
  ++believed[1];
  EXPECT_EQ(sharding::content_hashes(open("f.h5"), 0, 1000), believed);
  spoil(30, 1);  // of every 15th
  EXPECT_THAT(data_error_of([&] { sharding::content_hashes(open("f.h5"), 0, 1000); }),
              AllOf(HasSubstr("f.h5:/xxh3 row 30"), HasSubstr("ingest again")));
}

TEST_F(StoredHashes, AFileThatMovedIsReadWhereItIsStillOpen) {
  write("f.h5", {4, 5, 1, sharding::ElementType::kU8}, 9);
  const Corpus corpus = open("f.h5");
  const auto before = sharding::content_hashes(corpus, 0, 9);
  std::filesystem::rename(folder_ / "f.h5", folder_ / "moved.h5");
  EXPECT_EQ(sharding::content_hashes(corpus, 0, 9), before);
}

TEST_F(StoredHashes, OfAnotherNumberOfRowsAreRefused) {
  {
    TestFile f(folder_ / "f.h5");
    write_plain_images(f, 6);
    f.array("/xxh3", {5}, std::vector<std::int64_t>(5, 1), H5T_STD_U64LE);
  }
  EXPECT_THAT(data_error_of([&] { sharding::content_hashes(open("f.h5"), 0, 6); }),
              AllOf(HasSubstr("has 5 rows"), HasSubstr("6 images")));
  {
    TestFile f(folder_ / "f.h5");
    write_plain_images(f, 6);
    f.integers("/xxh3", std::vector<std::int64_t>(6, 1));
  }
  EXPECT_THAT(data_error_of([&] { sharding::content_hashes(open("f.h5"), 0, 6); }),
              HasSubstr("want unsigned 64-bit"));
}

TEST(BatchDigest, AddsUpOverLanesAndSeesEveryChange) {
  using sharding::BatchDigest;
  const std::vector<sharding::Slot> slots{{5, 0}, {7, 0}, {1, 1}, {2, 1}};
  const std::span<const sharding::Slot> all(slots);
  BatchDigest sum = sharding::digest_of_lane(0, all.first(2)),
              other = sharding::digest_of_lane(1, all.last(2));
  sum += sharding::digest_of_lane(1, all.last(2));
  other += sharding::digest_of_lane(0, all.first(2));
  EXPECT_EQ(sum, other);
  EXPECT_EQ(BatchDigest::from_hex(sum.hex()), sum);
  BatchDigest swapped = sharding::digest_of_lane(0, all.last(2));
  swapped += sharding::digest_of_lane(1, all.first(2));
  EXPECT_NE(swapped, sum) << "lanes count";
  const std::vector<sharding::Slot> later{{5, 1}, {7, 0}}, turned{{7, 0}, {5, 0}};
  EXPECT_NE(sharding::digest_of_lane(0, later), sharding::digest_of_lane(0, all.first(2)));
  EXPECT_NE(sharding::digest_of_lane(0, turned), sharding::digest_of_lane(0, all.first(2)));
  for (const char* bad : {"", "12", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"})
    EXPECT_FALSE(BatchDigest::from_hex(bad)) << bad;
  const XXH128_hash_t want = XXH3_128bits_withSeed(slots.data(), 32, 3);
  EXPECT_EQ(sharding::digest_of_lane(3, all.first(2)), (BatchDigest{want.low64, want.high64}));
}

}  // namespace
}  // namespace entrain::tests
