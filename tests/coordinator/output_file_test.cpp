// What a command may write over, and what it must leave alone.
#include "coordinator/output_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using tests::write_file;
namespace fs = std::filesystem;

std::string refusal(const OutputFile& output) {
  try {
    require_writable(output);
  } catch (const Error& e) {
    return cat(static_cast<int>(e.code()), ' ', e.what());
  }
  return "";
}

TEST(OutputFile, ANewFileIsFine) {
  const tests::TemporaryFolder folder;
  EXPECT_EQ(refusal({"x: --out", folder / "new.html", {folder.path()}}), "");
  EXPECT_EQ(refusal({"x: --out", "", {}}), "64 x: --out: want the name of a file, got nothing");
  EXPECT_THAT(refusal({"x: --out", folder / "caf\xE9", {}}), AllOf(StartsWith("64 "), HasSubstr("caf\\xe9")));
  EXPECT_THAT(refusal({"x: --out", folder / "no/new.html", {}}),
              AllOf(StartsWith("73 "), HasSubstr("No such file")));
}

TEST(OutputFile, AnotherFileStaysUnlessToldOtherwise) {
  const tests::TemporaryFolder folder;
  write_file(folder / "there", "<page>mine");
  EXPECT_THAT(refusal({"x: --out", folder / "there", {}}),
              AllOf(StartsWith("73 "), HasSubstr("--overwrite")));
  EXPECT_EQ(refusal({"x: --out", folder / "there", {}, true}), "");
  EXPECT_EQ(refusal({"x: --out", folder / "there", {}, false, "<page>"}), "") << "made by this command";
  EXPECT_THAT(refusal({"x: --out", folder / "there", {}, false, "<page>m!"}), StartsWith("73 "));
  EXPECT_THAT(refusal({"x: --out", folder / "there", {}, false, "<page>mine and more"}), StartsWith("73 "));
}

TEST(OutputFile, AnInputIsNeverWrittenOver) {
  const tests::TemporaryFolder folder;
  write_file(folder / "a.h5", "<page>");
  fs::create_hard_link(folder / "a.h5", folder / "b.h5");
  for (const bool overwrite : {false, true})
    for (const std::string& name :
         {folder / "a.h5", folder / "../" + fs::path(folder.path()).filename().string() + "/a.h5",
          folder / "b.h5"})
      EXPECT_THAT(refusal({"x: --out", name, {"/nowhere", folder / "a.h5"}, overwrite, "<page>"}),
                  AllOf(StartsWith("64 "), HasSubstr("is what the command reads")))
          << name;
}

TEST(OutputFile, OnlyRegularFilesAreReplaced) {
  const tests::TemporaryFolder folder;
  write_file(folder / "there", "x");
  fs::create_symlink(folder / "there", folder / "link");
  fs::create_symlink(folder / "gone", folder / "dangling");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto kind = [&](const std::string& path) { return refusal({"x: --out", path, {}, true, "x"}); };
  EXPECT_THAT(kind(folder.path()), AllOf(StartsWith("73 "), HasSubstr("is a folder")));
  EXPECT_THAT(kind(folder / "link"), AllOf(StartsWith("73 "), HasSubstr("is a symbolic link")));
  EXPECT_THAT(kind(folder / "dangling"), HasSubstr("is a symbolic link"));
  EXPECT_THAT(kind(folder / "pipe"), HasSubstr("is a pipe"));
  EXPECT_THAT(kind("/dev/full"), AllOf(StartsWith("73 "), HasSubstr("is a device")));
}

TEST(OutputFile, NothingIsWrittenAmongCheckpoints) {
  const tests::TemporaryFolder folder;
  fs::create_directories(folder / "run/checkpoints/step-00000008/deep");
  write_file(folder / "run/config.resolved.yaml", "");
  write_file(folder / "run/checkpoints/step-00000008/manifest.json", "{}");
  write_file(folder / "run/checkpoints/step-00000008/rank-0.safetensors", "x");
  for (const char* name :
       {"run/checkpoints/x", "run/checkpoints/step-00000008/x", "run/checkpoints/step-00000008/deep/x",
        "run/checkpoints/step-00000008/rank-0.safetensors"})
    EXPECT_THAT(refusal({"x: --out", folder / name, {}, true, "x"}),
                AllOf(StartsWith("73 "), HasSubstr("run/checkpoints")))
        << name;
  fs::create_directory(folder / "checkpoints");  // somebody's folder of that name
  EXPECT_EQ(refusal({"x: --out", folder / "checkpoints/x", {}}), "");
  EXPECT_EQ(refusal({"x: --out", folder / "run/report.html", {}}), "");
}

}  // namespace
}  // namespace entrain::coordinator
