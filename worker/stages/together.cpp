#include "worker/stages/together.hpp"

#include <algorithm>
#include <cstdlib>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/process.hpp"

namespace entrain::worker {

void together(Collectives& comm, const std::function<void()>& work) {
  std::string outcome;  // empty: fine; else "code text"
  try {
    work();
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    outcome = cat(static_cast<int>(error.code()), ' ', error.what());
  }
  const auto all = comm.all_gather_text(outcome);
  const auto failed = std::find_if(all.begin(), all.end(), [](const std::string& o) { return !o.empty(); });
  if (failed == all.end()) return;
  const auto code = static_cast<ExitCode>(std::atoi(failed->c_str()));
  std::string text = failed->substr(failed->find(' ') + 1);
  if (std::any_of(all.begin(), all.end(), [&](const std::string& o) { return o != *failed; }))
    text = cat("rank ", failed - all.begin(), ": ", text);
  Error error(code, text);
  error.set_on_all_ranks();
  throw error;
}

}  // namespace entrain::worker
