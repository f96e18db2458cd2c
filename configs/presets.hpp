#pragma once
#include <string>
#include <vector>

namespace entrain {

/// One default that a preset of views replaces.
struct PresetValue {
  const char* key;    ///< in section views
  const char* value;  ///< as a YAML file would say it
};

/// simclr, xray, dermatology, histology, fundus.
const std::vector<std::string>& view_presets();
/// What `views.preset: name` sets before the explicit keys; empty for simclr, whose values are the structs'
/// own.
const std::vector<PresetValue>& view_preset(const std::string& name);

}  // namespace entrain
