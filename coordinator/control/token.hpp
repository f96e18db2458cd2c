#pragma once
#include <string>

namespace entrain::control {

/// The secret of a run in RUN/.token (64 hex digits, mode 0600), as 32 raw bytes: whoever can read it is trusted.
/// Makes the file where there is none; a supervisor that starts again finds the one its ranks know. The caller
/// holds the run lock. LaunchError: as read_token, or the file cannot be written.
std::string make_or_read_token(const std::string& run_dir);

/// LaunchError: there is none, it is not whole, others may read it, or it belongs to somebody else.
std::string read_token(const std::string& run_dir);

}  // namespace entrain::control
