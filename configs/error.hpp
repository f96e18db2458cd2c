#pragma once
#include <stdexcept>
#include <string>

namespace entrain {

/// Exit codes of every program of ours. 0: done.
enum class ExitCode : int {
  kDone = 0,
  kConfig = 64,      ///< wrong command line or configuration
  kData = 65,        ///< input cannot be used
  kPreflight = 69,   ///< the machines given cannot do it; bad_nodes.json names them
  kBug = 70,         ///< any exception that is not an Error
  kCheckpoint = 73,  ///< cannot write, read or match a checkpoint
  kRequeue = 75,     ///< stopped on request, everything committed: start me again
  kComm = 76,        ///< a peer is gone or silent, nothing new committed: start me again
  kLaunch = 78,      ///< started wrongly: rank count, build without a feature
  kNumeric = 90,     ///< non-finite loss or gradient
  kNoProgress = 93,  ///< several generations failed without a new commit: do not requeue
};

/// What a user can cause or must know. The text says what, where, both values, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  ExitCode code() const noexcept { return code_; }
  /// True where every rank throws this same error by construction: one rank prints it, all leave in order.
  bool on_all_ranks() const noexcept { return on_all_ranks_; }
  void set_on_all_ranks() noexcept { on_all_ranks_ = true; }

 private:
  ExitCode code_;
  bool on_all_ranks_ = false;
};

struct ConfigError : Error {
  explicit ConfigError(const std::string& text) : Error(ExitCode::kConfig, text) {}
};
struct DataError : Error {
  explicit DataError(const std::string& text) : Error(ExitCode::kData, text) {}
};
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& text) : Error(ExitCode::kCheckpoint, text) {}
};
struct CommError : Error {
  explicit CommError(const std::string& text) : Error(ExitCode::kComm, text) {}
};
struct LaunchError : Error {
  explicit LaunchError(const std::string& text) : Error(ExitCode::kLaunch, text) {}
};
struct NumericError : Error {
  explicit NumericError(const std::string& text) : Error(ExitCode::kNumeric, text) {}
};

}  // namespace entrain
