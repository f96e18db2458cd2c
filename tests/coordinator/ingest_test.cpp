// entrain ingest as a user meets it: what it leaves when it cannot go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kPictures =
    " --folder " ENTRAIN_SOURCE_DIR "/tests/reference/sharding/pictures --limit-errors 100 ";

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  return names;
}

int lines(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

// A limit on the size of files stands for a full disk: writing fails in the middle, at the end, or while closing.
TEST(Ingest, AFileThatCannotGrowIsOneLineAnd73AndNothingIsLeft) {
  int refused = 0;
  for (const int kilobytes : {1, 2, 3, 4, 5, 8, 16, 30, 60, 100}) {
    for (const std::string& what : {std::string("images --px 64 --rgb --keep-duplicates") + kPictures,
                                    std::string("phantom --images 300 --px 32 ")}) {
      const TemporaryFolder folder;
      const Ran ran = run("ulimit -f " + std::to_string(kilobytes) + "; exec entrain ingest " + what +
                          " --out " + (folder / "x.h5"));
      if (ran.code == 0) continue;
      ++refused;
      EXPECT_EQ(ran.code, 73) << kilobytes << ": " << what;
      EXPECT_THAT(ran.output,
                  AllOf(HasSubstr("error: cannot write "), HasSubstr("x.h5"), HasSubstr("File too large")));
      EXPECT_EQ(lines(ran.output), 1) << ran.output;
      EXPECT_THAT(names_in(folder.path()), ::testing::IsEmpty()) << kilobytes << ": " << what;
    }
  }
  EXPECT_GE(refused, 15);
}

TEST(Ingest, EndedByASignalItLeavesNothing) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    const TemporaryFolder folder;
    Command ingest("exec entrain ingest phantom --images 1000000 --px 64 --out " + (folder / "x.h5"));
    for (int i = 0; i < 1000 && names_in(folder.path()).empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_EQ(names_in(folder.path()).size(), 1U) << "it has begun to write";
    ingest.signal(signal);
    EXPECT_EQ(ingest.wait().code, 128 + signal);
    EXPECT_THAT(names_in(folder.path()), ::testing::IsEmpty()) << signal;
  }
}

TEST(Ingest, NumbersThatDoNotFitAreRefusedAsTheyWereWritten) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& what, const std::string& value) {
    const Ran ran = run("entrain ingest " + what + value + " --out " + (folder / "x.h5"));
    EXPECT_EQ(ran.code, 64) << what << value;
    EXPECT_THAT(ran.output, HasSubstr(value));
    EXPECT_EQ(lines(ran.output), 1);
  };
  refused("phantom --seed ", "-1");
  refused("phantom --seed ", "18446744073709551616");
  refused("phantom --images ", "99999999999999999999");
  refused("phantom --px ", "1e2");
  refused("images" + kPictures + "--split-seed ", "-1");
  refused("images" + kPictures + "--px ", "99999999999999999999");
  refused("images" + kPictures + "--window 0 ", "nan");
  EXPECT_THAT(names_in(folder.path()), ::testing::IsEmpty());
}

TEST(Ingest, AnOutputThatIsNoFileOrASourceIsRefused) {
  const TemporaryFolder folder;
  fs::copy_file(ENTRAIN_SOURCE_DIR "/tests/reference/sharding/pictures/rgb.png", folder / "a.png");
  fs::create_symlink("nowhere", folder / "link.h5");
  const Ran link = run("entrain ingest phantom --images 4 --overwrite --out " + (folder / "link.h5"));
  EXPECT_EQ(link.code, 73);
  EXPECT_THAT(link.output, HasSubstr("is a symbolic link"));
  const std::string before = read_file(folder / "a.png");
  const Ran source =
      run("entrain ingest images --folder " + folder.path() + " --overwrite --out " + (folder / "a.png"));
  EXPECT_EQ(source.code, 64);
  EXPECT_THAT(source.output, HasSubstr("is what the command reads"));
  EXPECT_EQ(read_file(folder / "a.png"), before);
}

TEST(Ingest, ASplitThatNoCommandLooksForIsSaid) {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", "file,part\nrgb.png,train\ngrey.png,tset\n");
  const Ran ran = run("entrain ingest images" + kPictures + "--split-column part --csv " +
                      (folder / "t.csv") + " --out " + (folder / "x.h5"));
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, AllOf(HasSubstr("warning: split \"tset\" is none of train, val and test"),
                                ::testing::Not(HasSubstr("split \"train\""))));
}

TEST(Ingest, InspectNamesItsOptionsOfViews) {
  const Ran ran = run("entrain inspect --help");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("--views"), HasSubstr("--preset"), HasSubstr("--config"), HasSubstr("--json")));
}

}  // namespace
}  // namespace entrain::tests
