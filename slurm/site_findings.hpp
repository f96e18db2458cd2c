#pragma once
#include <string>
#include <vector>

#include "configs/error.hpp"
#include "configs/run_config.hpp"
#include "slurm/signal_lead.hpp"
#include "slurm/site.hpp"

namespace entrain::slurm {

/// One line of a preflight: what was looked at, what is so, and what to do about it.
struct Finding {
  enum class Kind { kGood, kWarning, kError } kind = Kind::kGood;
  std::string text{};
  ExitCode code = ExitCode::kDone;  ///< of an error: 64 the settings, 65 the data, 69 the machines
};
Finding good(std::string text);
Finding warning(std::string text);
Finding failure(ExitCode code, std::string text);

/// What the cluster says to a job of these settings. `lead_seconds`: the warning before the limit; `num_rows` of a sweep,
/// 0: none. Pure.
std::vector<Finding> site_findings(const Site& site, const SlurmSection& slurm, const RunTimes& times,
                                   std::int64_t lead_seconds, std::size_t num_rows);

}  // namespace entrain::slurm
