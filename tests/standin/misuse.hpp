#pragma once
#include <string>

namespace entrain::standin {

constexpr int kMisuseExit = 86;

/// What a caller of CUDA or NCCL can do wrong without an error code to tell him.
enum class Misuse {
  kNotBehindCompute = 1,    ///< a stream starts without waiting for what was computed before
  kComputeDoesNotWait = 2,  ///< a result is used, or forgotten, without waiting for it
  kGroup = 3,               ///< ncclGroupStart and ncclGroupEnd do not pair
  kUseAfterEnd = 4,         ///< of a communicator, stream or event that is gone
  kCounts = 5,              ///< ranks disagree on how much
  kOrder = 6,               ///< ranks disagree on what
  kFreedInFlight = 7,       ///< memory is freed or overwritten under an operation that uses it
  kHostWritten = 8,         ///< host memory is written while an upload reads it
  kNotSettled = 9,          ///< a communicator that is still in progress is taken to be done
  kUnsupported = 99,        ///< what the stand-in does not know
};

/// One line on stderr, `standin: misuse 5: ...`, and the end of the process with kMisuseExit.
[[noreturn]] void misuse(Misuse kind, const std::string& text);

}  // namespace entrain::standin
