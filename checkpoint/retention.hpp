#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace entrain::checkpoint {

/// Which checkpoints stay: the newest `last` (at least 2), one for every `every_seconds` (the first of each such span
/// of the clock; 0: none), and the `best` of lowest metric (0: none).
struct Retention {
  std::int64_t last = 3;
  double every_seconds = 0;
  std::int64_t best = 0;
};

/// What retention looks at: a committed checkpoint, from its manifest.
struct Candidate {
  std::int64_t step = 0;
  double time = 0;                 ///< seconds since 1970 when it was committed
  std::optional<double> metric{};  ///< mean loss of the steps since the one before
};

/// The steps that may go. `older` are those below the newest `last` whole ones, any order. Pure.
std::vector<std::int64_t> expired(std::vector<Candidate> older, const std::vector<Candidate>& newest,
                                  const Retention& keep);

}  // namespace entrain::checkpoint
