#include "sharding/exclusion.hpp"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <unordered_set>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::sharding {
namespace {

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = line.find_first_not_of(kBlank);
  return first == line.npos ? std::string_view()
                            : line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

bool is_not_text(char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r'; }

}  // namespace

std::uint64_t hash_of_group(std::string_view id) { return XXH3_64bits(id.data(), id.size()); }

Exclusion read_exclusion(const std::string& path, const Corpus& corpus) {
  if (!corpus.has_groups())
    throw ConfigError(cat("data.exclude_groups is ", path, ", but the corpus has no groups (data.group)"));
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path))
    throw ConfigError(
        cat("data.exclude_groups: cannot read ", path, "; want a text file, one group id per line"));
  std::unordered_set<std::uint64_t> present;
  for (std::int64_t sample = 0; sample < corpus.size(); ++sample) present.insert(corpus.group_hash(sample));
  Exclusion exclusion;
  std::int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    if (++number == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);  // some editors' mark of UTF-8
    if (std::any_of(line.begin(), line.end(), is_not_text))
      throw ConfigError(
          cat("data.exclude_groups: ", path, ":", number, ": is not text; want one group id per line"));
    const auto id = trimmed(line);
    if (id.empty()) continue;
    bool found = present.count(hash_of_group(id)) != 0;
    if (found) exclusion.groups.push_back(hash_of_group(id));
    for (const auto& kept : corpus.kept_under(id)) {
      if (present.count(hash_of_group(kept)) == 0) continue;
      exclusion.groups.push_back(hash_of_group(kept));
      exclusion.joined.push_back(cat(id, " (under ", kept, ')'));
      found = true;
    }
    if (!found) exclusion.unknown.emplace_back(id);
  }
  if (in.bad()) throw DataError(cat("data.exclude_groups: cannot read ", path, " to its end"));
  // As likely a list that went missing on its way as one that names nobody: then the wrong patients would be seen.
  if (exclusion.groups.empty() && exclusion.unknown.empty())
    throw ConfigError(cat("data.exclude_groups: ", path,
                          " names no group; want one group id per line, or leave the key out"));
  std::sort(exclusion.groups.begin(), exclusion.groups.end());
  exclusion.groups.erase(std::unique(exclusion.groups.begin(), exclusion.groups.end()),
                         exclusion.groups.end());
  return exclusion;
}

}  // namespace entrain::sharding
