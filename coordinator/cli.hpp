#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/reader.hpp"

namespace entrain::coordinator {

/// An option of one command that takes a value: {"--samples", "N", "plan for N images, without files"}.
struct CliOption {
  std::string name, value, help;
};

/// What `entrain COMMAND CONFIG [section.key=value ...] [options]` was given.
struct CommandLine {
  std::string path;                            ///< CONFIG
  std::vector<std::string> overrides;          ///< section.key=value, as given
  ResolvedConfig config;                       ///< empty where `answer` is set by --help
  bool json = false;                           ///< --json
  std::map<std::string, std::string> options;  ///< "--samples" -> "1000"
  /// Set by --help and --print-config: what to print on stdout before leaving with 0, instead of working.
  std::optional<std::string> answer;
};

/// Reads the arguments after the verb, and the configuration they name. The same for the front door and for
/// entrain-worker. Throws ConfigError, also for what no run can begin with: a setting given twice, no data.files, a
/// file in place of run.dir, a pretraining without negatives.
CommandLine parse_config_command(std::string_view command, const std::vector<std::string>& args,
                                 const std::vector<CliOption>& options = {});

/// entrain-worker, which lies beside this program.
std::string worker_program();

/// ConfigError where `section.key=value` words of a command line set one key twice.
void refuse_twice(const std::vector<std::string>& overrides);

/// What `entrain COMMAND --help` prints for a command that takes a CONFIG.
std::string config_command_help(std::string_view command, const std::vector<CliOption>& options = {});

}  // namespace entrain::coordinator
