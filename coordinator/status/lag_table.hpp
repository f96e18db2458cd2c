#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/status/run_status.hpp"

namespace entrain::status {

/// Text of others for a terminal: nothing in it moves the cursor or rings the bell, it is at most `width` characters
/// wide, and "..." tells where it was cut.
std::string terminal_text(std::string_view text, std::size_t width);

/// Those that are not like the others: not alive, behind, stopped, or two steps and more away from the median; once the
/// run has ended, those that were dead. Furthest behind first.
std::vector<const RankStatus*> odd_ranks(const RunStatus& status);

/// "rank 3 on node7 is behind: step 1199, in compute for 41 s, 3 collectives fewer than the others". Empty: nobody is.
std::string who_is_behind(const RunStatus& status);

/// One line for each rank, furthest behind first, under the sentence of who_is_behind().
std::string lag_table(const RunStatus& status);

}  // namespace entrain::status
