// Every key of every section, misspelt by one letter in each of four ways, must be refused with its place and with
// the right key named: what makes strict reading bearable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain {
namespace {

std::vector<std::string> misspellings(const std::string& key) {
  const std::size_t middle = key.size() / 2;
  std::vector<std::string> out{key + "s", key.substr(0, middle) + key.substr(middle + 1)};
  out.push_back(key);
  out.back()[middle] = key[middle] == 'q' ? 'w' : 'q';
  if (middle > 0 && key[middle] != key[middle - 1]) {
    out.push_back(key);
    std::swap(out.back()[middle], out.back()[middle - 1]);
  }
  return out;
}

TEST(MisspeltKeys, EachIsRefusedWithPlaceAndSuggestion) {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "x.yaml";
  const auto all = read_run_config("", {});
  const std::set<std::string> known(all.keys.begin(), all.keys.end());
  int tried = 0, suggested = 0;
  for (const auto& full : all.keys) {
    const std::string section = full.substr(0, full.find('.')), key = full.substr(section.size() + 1);
    for (const auto& wrong : misspellings(key)) {
      if (wrong.empty() || known.count(section + "." + wrong) > 0) continue;
      std::ofstream(path) << "# a comment first\n" << section << ":\n    " << wrong << ": 1\n";
      try {
        read_run_config(path, {});
        ADD_FAILURE() << section << '.' << wrong << " was accepted";
      } catch (const ConfigError& e) {
        const std::string text = e.what();
        EXPECT_THAT(text, ::testing::StartsWith(path + ":3:5: " + section + "." + wrong + ": unknown key; "));
        EXPECT_THAT(text, ::testing::HasSubstr(key)) << "the section's keys are listed";
        suggested += text.find("did you mean " + key + "?") != std::string::npos;
      }
      ++tried;
    }
  }
  EXPECT_GT(tried, 250);
  EXPECT_GE(suggested, tried * 95 / 100) << "of " << tried << "; `eta` for `eeta` may be nearer to `beta1`";
}

}  // namespace
}  // namespace entrain
