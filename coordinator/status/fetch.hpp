#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// What came of asking the server that RUN/control.json names.
struct Fetched {
  std::optional<RunStatus> status;
  std::string from;     ///< "http://127.0.0.1:4711", "" where there is no control.json
  std::string why_not;  ///< why there is no status: "connection refused"
};

/// Asks it, with the token of RUN/.token. Where control.json says whose it is ("host", "pid"), nobody is asked who cannot
/// be that server: once it is gone its port may be another's, and the token is not for them.
Fetched fetch_status(const std::string& run_dir,
                     std::chrono::milliseconds patience = std::chrono::milliseconds(2000));

}  // namespace entrain::status
