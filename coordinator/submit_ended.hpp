#pragma once
#include <string>

#include "coordinator/submit_stages.hpp"

namespace entrain::coordinator {

/// What `entrain submit` says of runs that have ended already, by the RUN/DONE and the RUN/config.resolved.yaml of each stage
/// and row.
struct EndedRuns {
  bool all = false;    ///< and none is asked for anything that it has not done: there is nothing to submit
  std::string text{};  ///< lines for people; empty: none has ended
};
EndedRuns ended_runs(const SubmitLine& line);

}  // namespace entrain::coordinator
