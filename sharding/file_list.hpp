#pragma once
#include <string>
#include <vector>

namespace entrain::sharding {

/// data.files as paths: each glob's matches sorted, globs in their order. DataError where one matches
/// nothing, and for a file that is named twice.
std::vector<std::string> expand_files(const std::vector<std::string>& patterns);

}  // namespace entrain::sharding
