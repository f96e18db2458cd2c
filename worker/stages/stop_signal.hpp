#pragma once

namespace entrain::worker {

/// SIGTERM, SIGUSR1 and SIGINT ask for a stop: the handler only raises a flag, and the stage lets all ranks
/// agree on the step after which they commit and leave with 75. Install once, in main().
void install_stop_signals();

/// The signal that was caught on this rank, 0: none.
int stop_signal();

/// "SIGTERM", "SIGUSR1", "SIGINT"; for messages.
const char* signal_name(int signal);

}  // namespace entrain::worker
