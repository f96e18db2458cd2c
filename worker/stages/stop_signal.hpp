#pragma once
#include <string>

namespace entrain::worker {

/// SIGTERM, SIGUSR1 and SIGINT ask for a stop: the handler only raises a flag, and the stage lets all ranks
/// agree on the step after which they commit and leave with 75. Install once, in main().
void install_stop_signals();

/// Why this rank should stop: "SIGTERM", or what the supervisor said. Empty: nobody asked.
std::string stop_reason();

}  // namespace entrain::worker
