#pragma once
#include "configs/run_config.hpp"
#include "configs/yaml_tree.hpp"

namespace entrain {

/// Fills the structs of run_config.hpp from a tree: every key, its type and its range, and what can only be
/// seen by looking at several keys. Throws ConfigError; notes each value and its origin in `reading`.
RunConfig read_sections(ConfigTree tree, Reading& reading);

}  // namespace entrain
