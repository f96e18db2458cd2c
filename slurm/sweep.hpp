#pragma once
#include <string>
#include <vector>

namespace entrain::slurm {

/// One run of a sweep: `section.key=value` words, as on a command line. May carry a stage: finetune:optim.lr=0.1.
using SweepRow = std::vector<std::string>;

/// The rows of a sweep. One word that names a file: JSON lines, one object of settings per line, {"optim.lr": 0.1}. Else
/// words key=a,b,c: all combinations, the last key fastest. ConfigError.
std::vector<SweepRow> read_sweep(const std::vector<std::string>& words);

/// The rows as JSON lines, {"optim.lr":"0.1"}: what RUN/sweep.jsonl holds.
std::string sweep_text(const std::vector<SweepRow>& rows);

}  // namespace entrain::slurm
