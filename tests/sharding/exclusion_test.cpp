// Who is left out (data.exclude_groups).
#include <gmock/gmock.h>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

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
  const Corpus whole = Corpus::open(data_of(folder_ / "f.h5")), rest = open("p4\r\n\n  p3 x  \nnobody\np4");
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
  EXPECT_EQ(open("\xEF\xBB\xBFp4\n").excluded().sha256, open("p4").excluded().sha256) << "an editor's mark";
  const Corpus nobody = open("nobody\n");
  EXPECT_EQ(nobody.size(), 6);
  EXPECT_EQ(nobody.excluded().sha256, "");
  EXPECT_THAT(nobody.excluded().unknown, ElementsAre("nobody"));
}

TEST_F(Excluded, AGroupWhoseImageStandsUnderAnotherLeavesWithIt) {
  EXPECT_THAT(open("p9").excluded().unknown, ElementsAre("p9"));  // nobody knows it yet
  const auto open_with = [&](const std::string& name, const std::vector<std::string>& aliases,
                             const std::string& list) {
    if (!aliases.empty()) {
      TestFile f(folder_ / name);
      write_plain_images(f, 6);
      f.texts("/group", {"p1", "p1", "p2", "p3 x", "p4", "p4"});
      f.texts("/group_alias", aliases);
    }
    write_file(folder_ / "out.txt", list);
    DataSection data = data_of(folder_ / name);
    data.exclude_groups = folder_ / "out.txt";
    return Corpus::open(data);
  };
  const Corpus under = open_with("g.h5", {"p9\tp2", "p3 x\tp4"}, "p9");
  EXPECT_EQ(under.size(), 5);
  EXPECT_THAT(under.excluded().joined, ElementsAre("p9 (under p2)"));
  EXPECT_TRUE(under.excluded().unknown.empty());
  EXPECT_EQ(open_with("g.h5", {}, "p3 x").size(), 3) << "its own row and those of p4";
  EXPECT_EQ(open_with("g.h5", {}, "p4").size(), 4) << "p4 alone";
  EXPECT_THROW(open_with("h.h5", {"p9 p2"}, "p9"), DataError);
}

TEST_F(Excluded, WhatCannotBeUsedIsRefused) {
  EXPECT_THAT(refused(folder_ / "none.txt"), AllOf(HasSubstr("cannot read"), HasSubstr("none.txt")));
  EXPECT_THAT(refused(folder_.path()), HasSubstr("cannot read"));
  write_file(folder_ / "out.txt", std::string("p1\nx\0y\n", 7));
  EXPECT_THAT(refused(folder_ / "out.txt"), AllOf(HasSubstr("out.txt:2"), HasSubstr("is not text")));
  write_file(folder_ / "out.txt", "\x1F\x8B\x08 compressed");
  EXPECT_THAT(refused(folder_ / "out.txt"), AllOf(HasSubstr("out.txt:1"), HasSubstr("is not text")));
  for (const char* empty : {"", "\n \r\n", "\xEF\xBB\xBF"}) {
    write_file(folder_ / "out.txt", empty);
    EXPECT_THAT(refused(folder_ / "out.txt"), HasSubstr("names no group"));
  }
  write_file(folder_ / "out.txt", "p1\np2\np3 x\np4\n");
  EXPECT_THAT(refused(folder_ / "out.txt"), HasSubstr("leaves no image of 6"));
  EXPECT_THAT(refused(folder_ / "out.txt", ""), HasSubstr("has no groups"));
}

}  // namespace
}  // namespace entrain::tests
