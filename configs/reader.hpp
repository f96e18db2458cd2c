#pragma once
#include <map>
#include <string>
#include <vector>

#include "configs/duration.hpp"
#include "configs/run_config.hpp"

namespace entrain {

/// A configuration with everything decided, and who decided it.
struct ResolvedConfig {
  RunConfig config;
  std::vector<std::string> keys;  ///< "views.crop_pixels", ...: all of them, in the order of run_config.hpp
  std::map<std::string, std::string>
      values;  ///< by key, as YAML: 64, 1.0e-06, strict, "two words", [a.h5, b.h5]
  std::map<std::string, std::string>
      origins;  ///< by key: configs/demo.yaml:3:5 | command line | preset xray | default

  /// A YAML file that reads back as the same values; each line says in a comment where its value came from.
  std::string yaml() const;
};

/// Reads a YAML file and puts `section.key=value` overrides over it; an empty path: defaults and overrides
/// alone. Where an override sets one of train.steps and train.epochs, it takes back the other one of the
/// file. Throws ConfigError: one line with file:line:column, the key, what is wanted and what was got.
ResolvedConfig read_run_config(const std::string& path, const std::vector<std::string>& overrides);

/// The keys whose values differ, of those that determine the bits of a pretraining run. The numbers of ranks
/// and threads, folders, commits and prefetch are not among them, nor data.files: the corpus digest stands
/// for them. `saved` and `now` are ResolvedConfig::values.
std::vector<std::string> differing_keys(const std::map<std::string, std::string>& saved,
                                        const std::map<std::string, std::string>& now);
/// The same for people: "views.min_area was 0.3 and is 0.08; optim.lr was ...". Empty where nothing differs.
std::string describe_differences(const std::map<std::string, std::string>& saved,
                                 const std::map<std::string, std::string>& now);

}  // namespace entrain
