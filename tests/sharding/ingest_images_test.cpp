#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "sharding/ingest/images.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using sharding::IngestImagesOptions;
using sharding::IngestReport;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
const std::string kPictures = std::string(ENTRAIN_SOURCE_DIR) + "/tests/reference/sharding/pictures";

class IngestImages : public ::testing::Test {
 protected:
  IngestImages() {
    options_.folder = kPictures;
    options_.csv = folder_ / "t.csv";
    options_.out = folder_ / "out.h5";
    options_.px = 16;
    options_.group_column = "patient";
    options_.label_column = "label";
  }
  IngestReport ingest(const std::string& csv) {
    write_file(options_.csv, csv);
    return sharding::ingest_images(options_);
  }
  std::string error(const std::string& csv) {
    return data_error_of([&] { ingest(csv); });
  }
  /// The message of the CheckpointError of an otherwise good ingestion; "" if there is none.
  std::string output_error() {
    try {
      ingest("file,patient,label\nrgb.png,p1,a\n");
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  }
  Corpus corpus() const { return Corpus::open(data_of(options_.out)); }
  bool nothing_written() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      if (entry.path().filename() != "t.csv" && entry.path().filename() != "out.h5.verdicts.jsonl")
        return false;
    return true;
  }
  TemporaryFolder folder_;
  IngestImagesOptions options_;
};

TEST_F(IngestImages, WritesWhatTheCorpusReads) {
  options_.site_column = "where";
  options_.split_column = "split";
  const auto report = ingest(
      "file,patient,label,split,where\nrgb.png,p1,sick,train,north\nrgb.bmp,p1,sick,train,south\nrgb.jpg,p2,"
      "fine,test,north\n");
  EXPECT_EQ(report.kept, 2);  // rgb.bmp has the pixels of rgb.png
  EXPECT_EQ(report.duplicates, 1);
  EXPECT_EQ(report.colour, "rgb");
  const Corpus c = corpus();
  ASSERT_EQ(c.size(), 2);
  EXPECT_EQ(c.shape(), (sharding::ImageShape{16, 16, 3, sharding::ElementType::kU8}));
  EXPECT_THAT(c.class_names(), ElementsAre("fine", "sick"));
  EXPECT_EQ(c.label(0), 1);
  EXPECT_EQ(c.group(1), "p2");
  EXPECT_EQ(c.split(1), "test");
  EXPECT_EQ(c.site(0), "north");
  std::vector<std::uint8_t> image(16 * 16 * 3);
  c.read(0, reinterpret_cast<std::byte*>(image.data()));
  EXPECT_GT(*std::max_element(image.begin(), image.end()), 150);
}

TEST_F(IngestImages, GreyAsRgbIsFoundAndStoredAsOneChannel) {
  const auto report = ingest("file,patient,label\ngrey_as_rgb.png,p1,a\ngrey.jpg,p2,b\n");
  EXPECT_EQ(report.colour, "grey");
  EXPECT_EQ(corpus().shape().channels, 1);
}

TEST_F(IngestImages, BadRowsAreNamedCountedAndLeftOut) {
  const auto report = ingest(
      "file,patient,label\nrgb.png,p1,a\ncut.jpg,p2,a\nmissing.png,p3,a\nrgb.jpg,p4,\nrgb.png,p5,b\ngrey.png,"
      "p6,b\n");
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(report.bad, 4);
  EXPECT_THAT(report.first_bad, ElementsAre(AllOf(HasSubstr("cut.jpg"), HasSubstr("JPEG")),
                                            AllOf(HasSubstr("missing.png"), HasSubstr("no such file")),
                                            AllOf(HasSubstr("rgb.jpg"), HasSubstr("\"label\" is empty")),
                                            AllOf(HasSubstr("rgb.png"), HasSubstr("second row"))));
  std::istringstream lines(read_file(report.verdicts));
  std::map<std::string, int> verdicts;
  for (std::string line; std::getline(lines, line);) ++verdicts[nlohmann::json::parse(line)["verdict"]];
  EXPECT_EQ(verdicts, (std::map<std::string, int>{{"kept", 2}, {"bad", 4}}));
  struct stat status {};
  ASSERT_EQ(::stat(report.verdicts.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(IngestImages, AboveTheErrorBudgetNothingIsWritten) {
  options_.limit_errors = "1";
  const std::string csv = "file,patient,label\nrgb.png,p1,a\ncut.jpg,p2,a\nmissing.png,p3,a\n";
  EXPECT_THAT(error(csv), AllOf(HasSubstr("2 of 3"), HasSubstr("budget is 1"), HasSubstr("cut.jpg")));
  EXPECT_TRUE(nothing_written());
  options_.limit_errors = "70%";
  EXPECT_EQ(ingest(csv).kept, 1);
  EXPECT_FALSE(nothing_written());
}

TEST_F(IngestImages, AnExistingFileIsNotReplacedUnasked) {
  const std::string csv = "file,patient,label\nrgb.png,p1,a\n";
  write_file(options_.out, "precious");
  EXPECT_THROW(ingest(csv), CheckpointError);
  EXPECT_EQ(read_file(options_.out), "precious");
  options_.overwrite = true;
  EXPECT_EQ(ingest(csv).kept, 1);
  EXPECT_NE(read_file(options_.out), "precious");
}

TEST_F(IngestImages, DryRunJudgesAndWritesNothing) {
  options_.dry_run = true;
  EXPECT_EQ(ingest("file,patient,label\nrgb.png,p1,a\nrgb.bmp,p1,a\n").duplicates, 1);
  EXPECT_TRUE(nothing_written());
}

TEST_F(IngestImages, DuplicatesOfAnotherPatientPutBothIntoOneSplit) {
  options_.make_split = sharding::parse_shares("50/0/50");
  std::string csv = "file,patient,label\nrgb.png,A,a\nrgb.bmp,B,a\nrgb.jpg,B,a\n";
  int together = 0, would_part = 0;
  for (options_.split_seed = 1; options_.split_seed <= 20; ++options_.split_seed) {
    options_.overwrite = true;
    const auto report = ingest(csv);
    EXPECT_THAT(report.joined_groups, ElementsAre("A + B"));
    EXPECT_THAT(corpus().kept_under("B"), ElementsAre("A"));
    EXPECT_TRUE(corpus().kept_under("A").empty());
    together += corpus().split(0) == corpus().split(1);
    would_part += std::string(sharding::split_of("A", *options_.make_split, options_.split_seed)) !=
                  sharding::split_of("B", *options_.make_split, options_.split_seed);
  }
  EXPECT_EQ(together, 20);
  EXPECT_GT(would_part, 4) << "else it proves nothing";
  options_.keep_duplicates = true;
  EXPECT_EQ(ingest(csv).kept, 3);
}

TEST_F(IngestImages, ASplitColumnThatStraddlesIsRefused) {
  options_.split_column = "split";
  EXPECT_THAT(error("file,patient,label,split\nrgb.png,p1,a,train\nrgb.jpg,p1,a,test\ngrey.png,p2,a,test\n"),
              AllOf(HasSubstr("1 of 2 groups"), HasSubstr("p1 in test train"), HasSubstr("--make-split")));
  EXPECT_TRUE(nothing_written());
}

TEST_F(IngestImages, MissingLabelColumnIsNamed) {
  EXPECT_THAT(error("file,patient,labels\nrgb.png,p1,a\n"),
              AllOf(HasSubstr("\"label\""), HasSubstr("did you mean \"labels\"?")));
  EXPECT_TRUE(nothing_written());
}

TEST_F(IngestImages, AFolderThatDoesNotExistIsNamed) {
  options_.out = folder_ / "none/out.h5";
  EXPECT_THAT(output_error(), HasSubstr("no folder"));
}

TEST_F(IngestImages, OnlyARegularFileIsReplaced) {
  options_.overwrite = true;
  std::filesystem::create_symlink("nowhere", options_.out);
  EXPECT_THAT(output_error(), HasSubstr("a symbolic link"));
  std::filesystem::remove(options_.out);
  ASSERT_EQ(::mkfifo(options_.out.c_str(), 0600), 0);
  EXPECT_THAT(output_error(), HasSubstr("no regular file"));
  std::filesystem::remove(options_.out);
  std::filesystem::create_directory(options_.out);
  EXPECT_THAT(output_error(), HasSubstr("a folder"));
  std::filesystem::remove(options_.out);
  EXPECT_EQ(output_error(), "");
}

TEST_F(IngestImages, ASourceIsNeverTheOutput) {
  options_.folder = folder_ / "pictures";
  std::filesystem::create_directory(options_.folder);
  std::filesystem::copy_file(kPictures + "/rgb.png", options_.folder + "/rgb.png");
  options_.overwrite = true;
  const std::string csv = "file,patient,label\nrgb.png,p1,a\n",
                    picture = read_file(options_.folder + "/rgb.png");
  for (const std::string& out : {options_.folder + "/rgb.png", options_.csv, folder_ / "./t.csv"}) {
    options_.out = out;
    EXPECT_THROW(ingest(csv), ConfigError) << out;
  }
  EXPECT_EQ(read_file(options_.csv), csv);
  EXPECT_EQ(read_file(options_.folder + "/rgb.png"), picture);
}

// The verdicts' name is taken: found out before the images get their name.
TEST_F(IngestImages, WithoutVerdictsThereAreNoImages) {
  std::filesystem::create_directory(options_.out + ".verdicts.jsonl");
  EXPECT_THAT(output_error(), AllOf(HasSubstr("out.h5.verdicts.jsonl"), HasSubstr("a folder")));
  EXPECT_TRUE(nothing_written());
}

TEST_F(IngestImages, WhatAKilledProcessLeftIsSwept) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_GT(gone, 0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  char host[65] = {};
  ::gethostname(host, sizeof host - 1);
  const std::string head = options_.out + ".tmp-", dead = head + host + "-" + std::to_string(gone),
                    alive = head + host + "-1", far = head + "elsewhere.-" + std::to_string(gone);
  for (const auto& name : {dead, alive, far}) write_file(name, "half");
  EXPECT_EQ(output_error(), "");
  EXPECT_FALSE(std::filesystem::exists(dead));
  EXPECT_TRUE(std::filesystem::exists(alive));
  EXPECT_TRUE(std::filesystem::exists(far)) << "nobody here can know";
}

TEST_F(IngestImages, LimitsAndWindowsThatMeanNothing) {
  const std::string csv = "file,patient,label\nrgb.png,p1,a\n";
  for (const char* limit :
       {"", "nan", "nan%", "inf", "1e99", "5.5", "-1", "-1%", "101%", "%", "5 %", "0x5"}) {
    options_.limit_errors = limit;
    EXPECT_THROW(ingest(csv), ConfigError) << limit;
  }
  options_.limit_errors = "2.5%";
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  for (const auto& [low, high] :
       std::vector<std::pair<double, double>>{{nan, 1}, {0, nan}, {0, inf}, {5, 5}, {6, 5}}) {
    options_.window = {low, high};
    EXPECT_THROW(ingest(csv), ConfigError) << low << ' ' << high;
  }
  options_.window = {0, 255};
  EXPECT_EQ(ingest(csv).kept, 1);
}

TEST_F(IngestImages, TablesThatAreNoTables) {
  EXPECT_THAT(error("file,patient,label,file\nrgb.png,p1,a,grey.png\n"),
              HasSubstr("has two columns \"file\""));
  EXPECT_THAT(error("file,patient,label\nrgb.png,p1,a\nrgb.bmp,M\xfcller,a\n"),
              AllOf(HasSubstr("t.csv:3:"), HasSubstr("no UTF-8 text")));
  EXPECT_THAT(error(std::string("PK\3\4\0\0,\n", 8)), HasSubstr("zero byte at byte 4"));
  EXPECT_THAT(error("\x1b[31mx,y\n1,2\n"),
              AllOf(HasSubstr("\\x1b[31mx, y"), ::testing::Not(HasSubstr("\x1b"))));
}

TEST_F(IngestImages, ClassesAndSplitsOfFolders) {
  for (const auto& [name, place] : std::map<std::string, std::string>{
           {"rgb.png", "train/cat"}, {"grey.png", "train/dog"}, {"rgb.jpg", "test/cat"}}) {
    std::filesystem::create_directories(folder_ / ("tree/" + place));
    std::filesystem::copy_file(kPictures + "/" + name, folder_ / ("tree/" + place + "/" + name));
  }
  IngestImagesOptions o;
  o.folder = folder_ / "tree";
  o.label_from_folder = o.split_from_folder = true;
  o.out = options_.out;
  o.px = 16;
  EXPECT_EQ(sharding::ingest_images(o).kept, 3);
  const Corpus c = corpus();
  EXPECT_THAT(c.class_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ(c.samples_of_split("train").size(), 2U);
}

TEST(GroupSplits, AreAPureFunctionOfTheGroupWithTheRightShares) {
  const auto shares = sharding::parse_shares("70/10/20");
  std::map<std::string, int> counts;
  for (int i = 0; i < 20000; ++i) ++counts[sharding::split_of("patient " + std::to_string(i), shares, 1)];
  EXPECT_NEAR(counts["train"], 14000, 4 * 65);
  EXPECT_NEAR(counts["val"], 2000, 4 * 43);
  EXPECT_NEAR(counts["test"], 4000, 4 * 57);
  for (const char* bad : {"70/10", "70/10/10", "a/b/c", "70/10/20/0", "-10/60/50", ""})
    EXPECT_THROW(sharding::parse_shares(bad), ConfigError) << bad;
}

TEST(GroupSplits, UnionsDoNotDependOnTheOrderOfJoining) {
  sharding::GroupUnions a, b;
  a.join("c", "b"), a.join("b", "a"), a.join("x", "y");
  b.join("y", "x"), b.join("a", "c"), b.join("c", "b");
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(a.of(name), "a");
    EXPECT_EQ(b.of(name), "a");
  }
  EXPECT_EQ(a.of("y"), "x");
  EXPECT_EQ(a.of("alone"), "alone");
}

// Real radiographs, where they are at hand: 5,856 files, 3,118 patients, 30 groups of equal files.
class Kermany : public IngestImages {
 protected:
  void SetUp() override {
    const std::string data = std::string(ENTRAIN_SOURCE_DIR) + "/../shared/data/cxr_kermany224";
    if (!std::filesystem::exists(data + ".tar"))
      GTEST_SKIP() << "the shared chest radiographs are not at ../shared/data";
    options_.folder.clear();
    options_.tar = data + ".tar";
    options_.csv = data + ".csv";
    options_.group_column = "patient_id";
    options_.px = 32;
  }
};

TEST_F(Kermany, ThePublishedSplitIsRefusedWithTheCountOfPatients) {
  options_.split_column = "published_split";
  EXPECT_THAT(data_error_of([&] { sharding::ingest_images(options_); }), HasSubstr("725 of 3118 groups"));
  EXPECT_TRUE(nothing_written());
}

TEST_F(Kermany, AllImagesAreReadAndDuplicatesFound) {
  options_.make_split = sharding::parse_shares("70/10/20");
  const auto report = sharding::ingest_images(options_);
  EXPECT_EQ(report.rows, 5856);
  EXPECT_EQ(report.bad, 0);
  EXPECT_EQ(report.duplicates, 32);  // 62 files in 30 groups
  EXPECT_EQ(report.colour, "grey");
  EXPECT_THAT(report.joined_groups, ElementsAre("NORMAL2-IM-0095 + NORMAL2-IM-0096"));
  EXPECT_EQ(report.groups, 3117);  // 0096's only image was a duplicate
  EXPECT_THAT(corpus().kept_under("NORMAL2-IM-0096"), ElementsAre("NORMAL2-IM-0095"));
  const Corpus c = corpus();
  EXPECT_EQ(c.size(), 5824);
  EXPECT_NEAR(static_cast<double>(c.samples_of_split("train").size()), 0.7 * 5824, 200);
}

}  // namespace
}  // namespace entrain::tests
