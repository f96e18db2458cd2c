// Who may include whom (design, section 2): every #include of ours is read, and a new edge between folders is an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace entrain {
namespace {

namespace fs = std::filesystem;
using Edges = std::map<std::string, std::set<std::string>>;

const Edges kMay{
    {"configs", {}},
    {"schedulers", {"configs"}},
    {"sharding", {"configs"}},
    {"checkpoint", {"configs"}},
    {"evaluation", {"configs"}},
    {"slurm", {"configs"}},
    {"coordinator", {"slurm", "checkpoint", "sharding", "evaluation", "schedulers", "configs"}},
    {"worker", {"coordinator", "checkpoint", "sharding", "evaluation", "schedulers", "configs"}},
    {"bench",
     {"worker", "coordinator", "slurm", "checkpoint", "sharding", "evaluation", "schedulers", "configs"}},
    {"tests",
     {"worker", "coordinator", "slurm", "checkpoint", "sharding", "evaluation", "schedulers", "configs"}},
};

struct File {
  std::string path, text;  // path relative to the root
};

std::vector<File> all_sources() {
  std::vector<File> out;
  const fs::path root = ENTRAIN_SOURCE_DIR;
  for (const auto& [folder, may] : kMay) {
    if (!fs::exists(root / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      out.push_back({entry.path().lexically_relative(root), text.str()});
    }
  }
  return out;
}

// What is wrong with the includes of one file; `seen` counts the includes that were looked at.
std::vector<std::string> complaints(const File& file, int& seen) {
  static const std::regex include("^[ \t]*#[ \t]*include[ \t]*([<\"])([^\">]+)[\">]");
  const std::string folder = file.path.substr(0, file.path.find('/'));
  std::vector<std::string> out;
  std::istringstream lines(file.text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (line.find("include") == std::string::npos || !std::regex_search(line, match, include)) continue;
    ++seen;
    const std::string path = match[2], other = path.substr(0, path.find('/'));
    const auto refuse = [&](const std::string& what) {
      out.push_back(file.path + ":" + std::to_string(number) + ": " + what);
    };
    if (match[1] == "\"") {
      if (kMay.count(other) == 0 || path == other)
        refuse("\"" + path + "\" is not written from the root");
      else if (other != folder && kMay.at(folder).count(other) == 0)
        refuse(folder + " must not include " + other + " (" + path + ")");
      continue;
    }
    const bool torch = other == "torch" || other == "ATen" || other == "c10" || other == "caffe2";
    const bool sees_torch = folder == "worker" || file.path.starts_with("tests/worker/") ||
                            file.path.starts_with("tests/support/") ||
                            file.path.starts_with("tests/system/") || folder == "bench";
    if (torch && !sees_torch) refuse("LibTorch (" + path + ") belongs into worker");
    if (path == "torch/torch.h" || path == "torch/all.h")
      refuse(path + " takes 17 s to compile; include ATen/ATen.h");
    if (path == "mpi.h" && folder != "worker" && folder != "coordinator" && folder != "tests" &&
        folder != "bench")
      refuse("MPI belongs into worker and coordinator");
  }
  return out;
}

TEST(IncludeGraph, NobodyIncludesUpwards) {
  int seen = 0;
  std::set<std::string> folders;
  std::vector<std::string> wrong;
  for (const auto& file : all_sources()) {
    folders.insert(file.path.substr(0, file.path.find('/')));
    for (const auto& complaint : complaints(file, seen)) wrong.push_back(complaint);
  }
  EXPECT_THAT(wrong, ::testing::IsEmpty());
  EXPECT_GT(seen, 300) << "a test that reads nothing passes";
  EXPECT_GE(folders.size(), 8U);
}

TEST(IncludeGraph, AWrongIncludeWouldBeSeen) {
  const auto first = [](const std::string& path, const std::string& text) {
    int seen = 0;
    const auto all = complaints({path, text}, seen);
    EXPECT_EQ(seen, 1);
    return all.empty() ? "" : all[0];
  };
  EXPECT_EQ(first("sharding/a.cpp", "// x\n#include \"worker/b.hpp\"\n"),
            "sharding/a.cpp:2: sharding must not include worker (worker/b.hpp)");
  EXPECT_EQ(first("configs/a.hpp", "#  include \"sharding/b.hpp\""),
            "configs/a.hpp:1: configs must not include sharding (sharding/b.hpp)");
  EXPECT_EQ(first("configs/a.hpp", "#include \"b.hpp\""),
            "configs/a.hpp:1: \"b.hpp\" is not written from the root");
  EXPECT_THAT(first("evaluation/a.cpp", "#include <ATen/ATen.h>"), ::testing::HasSubstr("LibTorch"));
  EXPECT_THAT(first("worker/a.cpp", "#include <torch/torch.h>"), ::testing::HasSubstr("17 s"));
  EXPECT_THAT(first("checkpoint/a.cpp", "#include <mpi.h>"), ::testing::HasSubstr("MPI belongs"));
  EXPECT_EQ(first("worker/a.cpp", "#include \"configs/log.hpp\""), "");
  EXPECT_EQ(first("tests/worker/a.cpp", "#include <ATen/ATen.h>"), "");
}

// The allowed graph itself has no cycle: what a folder may include may not include it.
TEST(IncludeGraph, TheAllowedGraphIsLayered) {
  for (const auto& [folder, may] : kMay)
    for (const auto& other : may) {
      EXPECT_EQ(kMay.at(other).count(folder), 0U) << folder << " and " << other;
      EXPECT_NE(other, folder);
    }
}

TEST(Structure, EveryFolderSaysWhatItIsFor) {
  const fs::path root = ENTRAIN_SOURCE_DIR;
  int seen = 0;
  for (const auto& [folder, may] : kMay) {
    if (folder == "tests" || folder == "bench" || !fs::exists(root / folder / "CMakeLists.txt")) continue;
    ++seen;
    std::ifstream readme(root / folder / "README.md");
    ASSERT_TRUE(readme) << folder << " has no README.md";
    int lines = 0;
    for (std::string line; std::getline(readme, line);) ++lines;
    EXPECT_LE(lines, 60) << folder << "/README.md";
    EXPECT_GE(lines, 5) << folder << "/README.md";
  }
  EXPECT_GE(seen, 6);
}

TEST(Structure, EveryHeaderHasPragmaOnceAndSourcesAreAscii) {
  int headers = 0;
  for (const auto& file : all_sources()) {
    if (file.path.ends_with(".hpp")) {
      ++headers;
      EXPECT_NE(file.text.find("#pragma once\n"), std::string::npos) << file.path;
    }
    for (const char c : file.text)
      if (static_cast<unsigned char>(c) > 126) {
        ADD_FAILURE() << file.path << " holds a character that is not ASCII";
        break;
      }
  }
  EXPECT_GT(headers, 30);
}

}  // namespace
}  // namespace entrain
