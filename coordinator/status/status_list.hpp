#pragma once
#include <string>
#include <vector>

#include "coordinator/status/run_status.hpp"
#include "coordinator/status/status_text.hpp"

namespace entrain::status {

/// A line for each run: its folder, state, step, loss, views per second, and when it is done or why it is not.
std::string status_list(const std::vector<RunStatus>& runs, const TextStyle& style);

}  // namespace entrain::status
