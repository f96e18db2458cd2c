#pragma once
#include <cstdint>
#include <string>

namespace entrain::control {

/// What a client needs to know of RUN/control.json.
struct SupervisorAddress {
  std::string address{};  ///< numeric
  std::uint16_t port = 0;
  std::uint64_t run_id = 0;
};

/// LaunchError: there is no file, or it is not whole.
SupervisorAddress read_supervisor_address(const std::string& run_dir);

/// 16 hex digits, as in control.json. LaunchError.
std::uint64_t parse_run_id(const std::string& hex);

}  // namespace entrain::control
