#pragma once
#include <cstddef>
#include <string>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

struct TextStyle {
  std::size_t columns = 80;
  bool colour = false;
  std::size_t events = 8;  ///< how many of the last ones
  std::size_t rows = 6;    ///< of a table that stands in an event
};

/// The document for people: state, progress, speeds, commit, deadline, the ranks folded to one line where they are
/// alike with the odd ones below it, the last events. No line is wider than `columns`, and none is cut. What has no
/// meaning for its stage, or nobody knows, is left out.
std::string status_text(const RunStatus& status, const TextStyle& style);

}  // namespace entrain::status
