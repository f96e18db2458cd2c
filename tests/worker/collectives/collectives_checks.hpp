#pragma once
#include "worker/collectives/collectives.hpp"

namespace entrain::tests {

/// What both back ends must do, called on every rank; uses EXPECT_ and ASSERT_.
void check_uneven_rows_come_in_rank_order(worker::Collectives& comm);
void check_all_to_all_moves_every_piece(worker::Collectives& comm);
void check_sum_max_and_text(worker::Collectives& comm);
/// The reducer's sum equals the tree over all lanes to the bit; a sum one after another does not.
void check_lane_sum_is_the_tree(worker::Collectives& comm);

}  // namespace entrain::tests
