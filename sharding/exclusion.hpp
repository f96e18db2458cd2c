#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "sharding/corpus.hpp"

namespace entrain::sharding {

/// Reads data.exclude_groups: a text file, one group id per line as it stands in the corpus; blank lines and spaces
/// around an id do not count. A group that shares an image with another one leaves with it. ConfigError: cannot be read, is not text, names
/// nobody, or the corpus has no groups.
Exclusion read_exclusion(const std::string& path, const Corpus& corpus);

/// XXH3-64 of a group's id: what Corpus::group_hash() gives for its rows.
std::uint64_t hash_of_group(std::string_view id);

}  // namespace entrain::sharding
