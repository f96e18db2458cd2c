// Who is left out (data.exclude_groups), and who must not meet (batch_classes).
#include <gmock/gmock.h>
#include <xxhash.h>

#include "configs/error.hpp"
#include "sharding/batch_classes.hpp"
#include "sharding/batch_digest.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Excluded : public testing::Test {
 protected:
  Excluded() {
    TestFile f(folder_ / "f.h5");
    write_plain_images(f, 6);
    f.texts("/group", {"p1", "p1", "p2", "p3 x", "p4", "p4"});
  }
  Corpus open(const std::string& list) {
    write_file(folder_ / "out.txt", list);
    DataSection data = data_of(folder_ / "f.h5");
    data.exclude_groups = folder_ / "out.txt";
    return Corpus::open(data);
  }
  std::string refused(const std::string& path, const std::string& group = "auto") {
    DataSection data = data_of(folder_ / "f.h5");
    data.exclude_groups = path;
    data.group = group;
    try {
      Corpus::open(data);
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
  TemporaryFolder folder_;
};

TEST_F(Excluded, RowsOfTheGroupsAreGoneAndTheRestKeepsItsOrder) {
  const Corpus whole = open(""), rest = open("p4\r\n\n  p3 x  \nnobody\np4");
  ASSERT_EQ(whole.size(), 6);
  ASSERT_EQ(rest.size(), 3);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(rest.place(i).row, i);
  EXPECT_EQ(rest.digest(), whole.digest()) << "of the data, whoever is left out";
  EXPECT_EQ(rest.excluded().images, 3);
  EXPECT_EQ(rest.excluded().groups.size(), 2U);
  EXPECT_THAT(rest.excluded().unknown, ElementsAre("nobody"));
  EXPECT_EQ(whole.excluded().sha256, "");
  EXPECT_EQ(rest.excluded().sha256.size(), 64U);
  EXPECT_NE(rest.excluded().sha256, open("p4").excluded().sha256);
  EXPECT_EQ(open("p4\np3 x").excluded().sha256, open("p3 x\np4\nnobody").excluded().sha256)
      << "order does not count";
}

TEST_F(Excluded, WhatCannotBeUsedIsRefused) {
  EXPECT_THAT(refused(folder_ / "none.txt"), AllOf(HasSubstr("cannot read"), HasSubstr("none.txt")));
  EXPECT_THAT(refused(folder_.path()), HasSubstr("cannot read"));
  write_file(folder_ / "out.txt", std::string("p1\nx\0y\n", 7));
  EXPECT_THAT(refused(folder_ / "out.txt"), AllOf(HasSubstr("out.txt:2"), HasSubstr("is not text")));
  write_file(folder_ / "out.txt", "p1\np2\np3 x\np4\n");
  EXPECT_THAT(refused(folder_ / "out.txt"), HasSubstr("leaves no image of 6"));
  EXPECT_THAT(refused(folder_ / "out.txt", ""), HasSubstr("has no groups"));
}

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
