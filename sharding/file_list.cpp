#include "sharding/file_list.hpp"

#include <glob.h>

#include <filesystem>
#include <map>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {
struct GlobMatches {
  glob_t found{};
  ~GlobMatches() { globfree(&found); }
};
}  // namespace

std::vector<std::string> expand_files(const std::vector<std::string>& patterns) {
  if (patterns.empty()) throw DataError("data.files: no file named; give HDF5 files or globs");
  std::vector<std::string> files;
  std::map<std::string, std::string> seen;  // real path -> the name it came under
  for (const auto& pattern : patterns) {
    GlobMatches matches;
    const int code = ::glob(pattern.c_str(), GLOB_TILDE, nullptr, &matches.found);  // sorts
    if (code == GLOB_NOMATCH || matches.found.gl_pathc == 0)
      throw DataError(cat("data.files: nothing matches \"", pattern, "\" (looked from ",
                          std::filesystem::current_path().string(), ")"));
    if (code != 0) throw DataError(cat("data.files: cannot read the folders of \"", pattern, "\""));
    for (std::size_t i = 0; i < matches.found.gl_pathc; ++i) {
      const std::string path = matches.found.gl_pathv[i];
      const auto [place, is_new] = seen.emplace(std::filesystem::weakly_canonical(path).string(), path);
      if (!is_new)
        throw DataError(cat("data.files: ", path, " is named twice (also as ", place->second, ")"));
      files.push_back(path);
    }
  }
  return files;
}

}  // namespace entrain::sharding
