// Groups, labels, splits and sites; selection; identity.
#include <gmock/gmock.h>
#include <xxhash.h>

#include <set>

#include "sharding/corpus.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Six images with everything.
void write_whole(const std::string& path, TestFile::TextKind kind = TestFile::TextKind::kVariable) {
  TestFile f(path);
  write_plain_images(f, 6);
  f.texts("/group", {"p1", "p1", "p2", "p3 x", "p4", "p4"}, kind);
  f.texts("/split", {"train", "train", "train", "val", "test", "test"}, kind);
  f.texts("/site", {"a", "a", "b", "a", "b", "b"}, kind);
  f.texts("/label", {"sick", "sick", "fine", "fine", "sick", "sick"}, kind);
}

class TextKinds : public ::testing::TestWithParam<TestFile::TextKind> {};
TEST_P(TextKinds, AreReadAlike) {
  const TemporaryFolder folder;
  write_whole(folder / "f.h5", GetParam());
  const Corpus c = Corpus::open(data_of(folder / "f.h5"));
  ASSERT_TRUE(c.has_groups() && c.has_labels() && c.has_splits() && c.has_sites());
  EXPECT_EQ(c.group(3), "p3 x");
  EXPECT_EQ(c.split(3), "val");
  EXPECT_EQ(c.site(5), "b");
  EXPECT_THAT(c.class_names(), ElementsAre("fine", "sick"));  // sorted
  EXPECT_EQ(c.label(0), 1);
  EXPECT_EQ(c.label(2), 0);
}
INSTANTIATE_TEST_SUITE_P(All, TextKinds,
                         ::testing::Values(TestFile::TextKind::kVariable, TestFile::TextKind::kNulTerminated,
                                           TestFile::TextKind::kNulPadded, TestFile::TextKind::kSpacePadded));

// Their characters lie in many heaps of different sizes, which are read here and not by libhdf5.
TEST(CorpusTables, TextsOfVariableLengthOfAnyLength) {
  const TemporaryFolder folder;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 3000; ++i)
    texts.push_back(i % 7 == 0 ? "" : std::to_string(i) + std::string(i % 11 == 0 ? 9 * i : i % 40, 'a'));
  {
    TestFile f(folder / "f.h5");
    write_plain_images(f, 3000, 2);
    f.texts("/group", texts);
    f.integers("/label", std::vector<std::int64_t>(3000, 1));
    f.text_list_attribute("/label", "class_names", {"", std::string(5000, 'b')});
  }
  const Corpus c = Corpus::open(data_of(folder / "f.h5"));
  ASSERT_EQ(c.size(), 3000);
  for (std::int64_t i = 0; i < c.size(); ++i) ASSERT_EQ(c.group(i), texts[static_cast<std::size_t>(i)]) << i;
  EXPECT_EQ(c.class_names()[1], std::string(5000, 'b'));
}

TEST(CorpusTables, GroupHashIsXxh3OfTheText) {
  const TemporaryFolder folder;
  write_whole(folder / "f.h5");
  const Corpus c = Corpus::open(data_of(folder / "f.h5"));
  EXPECT_EQ(c.group_hash(0), XXH3_64bits("p1", 2));
  EXPECT_EQ(c.group_hash(0), c.group_hash(1));
  EXPECT_NE(c.group_hash(0), c.group_hash(2));
}

TEST(CorpusTables, WithoutGroupsEveryRowIsItsOwnAndAPathDoesNotMatter) {
  const TemporaryFolder folder;
  for (const char* name : {"f.h5", "g.h5"}) {
    TestFile f(folder / name);
    write_plain_images(f, 6);
  }
  const Corpus f = Corpus::open(data_of(folder / "f.h5")), g = Corpus::open(data_of(folder / "g.h5"));
  std::set<std::uint64_t> hashes;
  for (std::int64_t i = 0; i < 6; ++i) {
    hashes.insert(f.group_hash(i));
    EXPECT_EQ(f.group_hash(i), g.group_hash(i));
  }
  EXPECT_EQ(hashes.size(), 6U);
  EXPECT_EQ(f.group(0), "");
  EXPECT_EQ(f.label(0), -1);
}

TEST(CorpusTables, IntegerGroupsAreTheirDecimalText) {
  const TemporaryFolder folder;
  {
    TestFile f(folder / "f.h5");
    write_plain_images(f, 3);
    f.integers("/group", {12, -5, 12});
  }
  const Corpus c = Corpus::open(data_of(folder / "f.h5"));
  EXPECT_EQ(c.group(0), "12");
  EXPECT_EQ(c.group(1), "-5");
  EXPECT_EQ(c.group_hash(2), c.group_hash(0));
}

TEST(CorpusTables, IntegerLabelsIndexClassNamesAndNegativeIsNone) {
  const TemporaryFolder folder;
  {
    TestFile f(folder / "f.h5");
    write_plain_images(f, 4);
    f.integers("/label", {2, 0, -1, 1});
    f.text_list_attribute("/label", "class_names", {"z", "a", "m"});
  }
  const Corpus c = Corpus::open(data_of(folder / "f.h5"));
  EXPECT_THAT(c.class_names(), ElementsAre("z", "a", "m"));  // the file's order, not sorted
  EXPECT_EQ(c.label(0), 2);
  EXPECT_EQ(c.label(2), -1);
}

TEST(CorpusTables, FilesFollowOneAnotherAndAGlobIsSorted) {
  const TemporaryFolder folder;
  for (const char* name : {"b.h5", "a.h5", "c.h5"}) {
    TestFile f(folder / name);
    write_plain_images(f, name[0] - 'a' + 1);
    f.texts("/group", std::vector<std::string>(static_cast<std::size_t>(name[0] - 'a' + 1), name));
  }
  const Corpus c = Corpus::open(data_of(folder / "?.h5"));
  ASSERT_EQ(c.size(), 6);
  EXPECT_EQ(c.group(0), "a.h5");
  EXPECT_EQ(c.place(0).file, folder / "a.h5");
  EXPECT_EQ(c.place(2).file, folder / "b.h5");
  EXPECT_EQ(c.place(2).row, 1);
  EXPECT_EQ(c.place(5).row, 2);
  std::vector<std::uint8_t> image(16);
  c.read(5, reinterpret_cast<std::byte*>(image.data()));
  EXPECT_EQ(image[1], pixel(2, 0, 1, 0));
}

TEST(CorpusTables, MoreFilesThanStayOpenAreAllRead) {
  const TemporaryFolder folder;
  DataSection data;
  for (int i = 0; i < 150; ++i) {
    data.files.push_back(folder / ("f" + std::to_string(i) + ".h5"));
    TestFile f(data.files.back());
    f.bytes("/images", {1, 4, 4}, std::vector<std::uint8_t>(16, static_cast<std::uint8_t>(i)));
  }
  const Corpus c = Corpus::open(data);
  std::vector<std::uint8_t> image(16);
  for (const int i : {0, 149, 1, 148, 75, 0}) {
    c.read(i, reinterpret_cast<std::byte*>(image.data()));
    EXPECT_EQ(image[0], i);
  }
}

TEST(CorpusTables, UseSplitsKeepsThoseRows) {
  const TemporaryFolder folder;
  write_whole(folder / "f.h5");
  auto data = data_of(folder / "f.h5");
  data.use_splits = {"test", "val"};
  const Corpus c = Corpus::open(data);
  ASSERT_EQ(c.size(), 3);
  EXPECT_EQ(c.place(0).row, 3);
  EXPECT_EQ(c.place(2).row, 5);
  EXPECT_THAT(c.samples_of_split("test"), ElementsAre(1, 2));
  data.use_splits = {"train", "tset"};
  EXPECT_THAT(data_error_of([&] { Corpus::open(data); }),
              AllOf(HasSubstr("\"tset\""), HasSubstr("train, val, test")));
}

TEST(CorpusTables, UseSplitsOfAFileWithoutSplitsKeepsAllRows) {
  const TemporaryFolder folder;
  {
    TestFile f(folder / "f.h5");
    write_plain_images(f, 6);
  }
  auto data = data_of(folder / "f.h5");
  data.use_splits = {"test"};
  EXPECT_EQ(Corpus::open(data).size(), 6);
}

TEST(CorpusTables, ASubsetReadsItsRowsAndHasAnotherDigest) {
  const TemporaryFolder folder;
  write_whole(folder / "f.h5");
  const Corpus whole = Corpus::open(data_of(folder / "f.h5"));
  const std::vector<std::int64_t> samples = {4, 1};
  const Corpus part = whole.subset(samples);
  ASSERT_EQ(part.size(), 2);
  EXPECT_EQ(part.place(0).row, 4);
  EXPECT_EQ(part.label(1), whole.label(1));
  EXPECT_NE(part.digest(), whole.digest());
  EXPECT_EQ(part.digest(), whole.subset(samples).digest());
  std::vector<std::uint8_t> image(16);
  part.read(0, reinterpret_cast<std::byte*>(image.data()));
  EXPECT_EQ(image[5], pixel(4, 1, 1, 0));
}

TEST(CorpusTables, AGroupInTwoSplitsIsRefusedByName) {
  const TemporaryFolder folder;
  {
    TestFile f(folder / "f.h5");
    write_plain_images(f, 4);
    f.texts("/group", {"p1", "p2", "p3", "p2"});
    f.texts("/split", {"train", "train", "val", "val"});
  }
  EXPECT_THAT(data_error_of([&] { Corpus::open(data_of(folder / "f.h5")); }),
              AllOf(HasSubstr("\"p2\""), HasSubstr("train"), HasSubstr("val"), HasSubstr("row 1"),
                    HasSubstr("row 3")));
  auto data = data_of(folder / "f.h5");
  data.use_splits = {"train"};  // still refused: the leak is in the data
  EXPECT_NE(data_error_of([&] { Corpus::open(data); }), "");
}

// What the digest is for: the same content under any name, and nothing else.
class Digest : public ::testing::Test {
 protected:
  std::string of(const std::string& name, const std::vector<std::string>& use_splits = {}) {
    auto data = data_of(folder_ / name);
    data.use_splits = use_splits;
    return Corpus::open(data).digest();
  }
  TemporaryFolder folder_;
};

TEST_F(Digest, IsOfContentNotOfPathOrTextKind) {
  write_whole(folder_ / "a.h5");
  write_whole(folder_ / "b.h5", TestFile::TextKind::kSpacePadded);
  EXPECT_EQ(of("a.h5"), of("b.h5"));
  EXPECT_EQ(of("a.h5").size(), 64U);
}

TEST_F(Digest, SeesEachChange) {
  write_whole(folder_ / "a.h5");
  const std::string before = of("a.h5");
  EXPECT_NE(of("a.h5", {"train"}), before);
  const auto with = [&](const char* group, const char* label, const char* site, std::uint8_t changed_pixel) {
    TestFile f(folder_ / "b.h5");
    std::vector<std::uint8_t> values;
    for (std::int64_t i = 0; i < 96; ++i)
      values.push_back(static_cast<std::uint8_t>(pixel(i / 16, i / 4 % 4, i % 4, 0)));
    values[50] = static_cast<std::uint8_t>(values[50] + changed_pixel);
    f.bytes("/images", {6, 4, 4}, values);
    f.texts("/group", {"p1", "p1", group, "p3 x", "p4", "p4"});
    f.texts("/split", {"train", "train", "train", "val", "test", "test"});
    f.texts("/site", {"a", "a", "b", "a", "b", site});
    f.texts("/label", {"sick", "sick", label, "fine", "sick", "sick"});
  };
  with("p2", "fine", "b", 0);
  EXPECT_EQ(of("b.h5"), before);  // so that what follows is the change alone
  with("px", "fine", "b", 0);
  EXPECT_NE(of("b.h5"), before);
  with("p2", "sick", "b", 0);
  EXPECT_NE(of("b.h5"), before);
  with("p2", "fine", "a", 0);
  EXPECT_NE(of("b.h5"), before);
  with("p2", "fine", "b", 1);
  EXPECT_NE(of("b.h5"), before);
}

}  // namespace
}  // namespace entrain::tests
