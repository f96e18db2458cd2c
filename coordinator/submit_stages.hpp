#pragma once
#include <optional>
#include <string>
#include <vector>

#include "configs/reader.hpp"
#include "slurm/sweep.hpp"

namespace entrain::coordinator {

/// One stage of what `entrain submit` was given.
struct SubmitStage {
  std::string name;  ///< pretrain | finetune | evaluate
  std::string path;  ///< CONFIG
  ResolvedConfig resolved{};
  std::string run_dir{};  ///< absolute
  bool follows = false;   ///< init.from is the stage before
  std::vector<slurm::SweepRow>
      rows{};  ///< of a sweep: the words of this stage, init.from of the row among them
};

/// What `entrain submit CONFIG ...` was given.
struct SubmitLine {
  std::string typed;                    ///< the whole command, one line
  std::vector<SubmitStage> stages{};    ///< in the order in which they run
  std::vector<slurm::SweepRow> rows{};  ///< of a sweep, as given
  std::int64_t at_once = 0;
  bool print = false, cancel = false;
  std::optional<std::string> answer{};  ///< of --help and --print-config
};

/// Reads the command line and every configuration, for each row of a sweep too, so that no job starts with a setting that
/// no run can begin with. ConfigError.
SubmitLine parse_submit(const std::vector<std::string>& args);

/// YAML of what was set, by file or command line; reads back as the same values.
std::string settings_text(const ResolvedConfig& resolved);

}  // namespace entrain::coordinator
