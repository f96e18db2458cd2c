#pragma once
#include <map>
#include <string>
#include <vector>

#include "configs/section.hpp"

namespace entrain {

/// One section as it stands in a file: its keys, not yet checked against any schema.
struct RawSection {
  std::string where;  ///< of the section's name
  std::map<std::string, RawValue> entries;
};
using ConfigTree = std::map<std::string, RawSection>;

/// Reads a YAML file of sections of keys. `include: other.yaml` (or a list, relative to the file) is read
/// first and overridden by the file. `${env:VAR}` and `${oc.env:VAR}` are expanded. Throws ConfigError with
/// file, line and column on bad YAML, on a duplicate key, on a section that is no mapping, on an include that
/// includes itself.
ConfigTree read_yaml_tree(const std::string& path);

/// Puts the overrides `section.key=value` of a command line over `tree`; the last one of a key holds. A value
/// is text, or YAML where it starts with [ or a quote.
void apply_overrides(ConfigTree& tree, const std::vector<std::string>& overrides);

}  // namespace entrain
