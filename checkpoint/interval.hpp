#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace entrain::checkpoint {

/// Mean time between a run's failures, from its ledger: the time its generations ran, over the number of those that
/// ended without a word or with a code other than 0 and 75. A day and one failure are added, so that a young run has an
/// estimate too. `now`: seconds since 1970, the end of the generation that is still running.
double seconds_between_failures(const std::vector<nlohmann::json>& ledger, double now);

/// Young's and Daly's first-order optimum sqrt(2 * cost * mean time between failures), kept within 10 s and half an
/// hour. `commit_seconds`: what a commit costs, from snapshot to done. Young 1974; Daly 2006, doi
/// 10.1016/j.future.2004.11.016.
double best_interval_seconds(double commit_seconds, double seconds_between_failures);

/// When the last commit must begin for it to be done before the job is ended: the slowest step and the slowest commit
/// seen so far, and 30 s.
double lead_seconds(double slowest_step, double slowest_commit);

}  // namespace entrain::checkpoint
