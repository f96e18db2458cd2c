#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "configs/run_config.hpp"
#include "slurm/sweep.hpp"

namespace entrain::slurm {

/// All that the batch script of one stage depends on. Paths are absolute.
struct JobScript {
  std::string typed{};     ///< "entrain submit pretrain.yaml": its first comment, one line
  std::string run_with{};  ///< its second comment: what to type to run it; empty: what suits RUN/job.sh
  std::string program{};   ///< the front door, as the job shall call it
  std::string stage{};     ///< pretrain | finetune | evaluate
  std::string run_dir{};   ///< of a sweep: that of all its rows, which are row-0, row-1, ... in it
  std::string work_dir{};  ///< where relative names of the settings begin
  std::string
      settings{};  ///< YAML; the job writes it to RUN/job.yaml and runs that, whatever the user edits meanwhile
  SlurmSection slurm{};
  std::int64_t lead_seconds = 240;   ///< warning before the time limit
  std::vector<std::string> files{};  ///< data.files without globs, for slurm.staging
  std::vector<std::string> next{};   ///< run_dir of each later stage
  std::vector<std::string> next_stage{};
  std::vector<SweepRow> rows{};  ///< no sweep: none; without names of stages and without run.dir
  std::int64_t at_once = 0;      ///< rows that may run at the same time; 0: all
};

/// RUN/job.sh
std::string script_path(const std::string& run_dir);
/// Where Slurm writes what the job prints: RUN/slurm-%j.out, with Slurm's own %.
std::string log_pattern(const JobScript& job);

/// The batch script. Depends on nothing but its argument. ConfigError: a value that no #SBATCH line can hold, or an
/// option that Entrain sets itself.
std::string job_script(const JobScript& job);

/// The last job of a sweep: a table of its rows, and of evaluations the report.
std::string summary_script(const JobScript& last_stage);

}  // namespace entrain::slurm
