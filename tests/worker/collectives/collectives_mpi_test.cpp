#include <gtest/gtest.h>

#include "tests/support/mpi_main.hpp"
#include "tests/worker/collectives/collectives_checks.hpp"

namespace entrain::tests {
namespace {

TEST(MpiRanks, UnevenRowsComeInRankOrder) { check_uneven_rows_come_in_rank_order(world()); }
TEST(MpiRanks, AllToAllMovesEveryPiece) { check_all_to_all_moves_every_piece(world()); }
TEST(MpiRanks, SumMaxAndText) { check_sum_max_and_text(world()); }
TEST(MpiRanks, LaneSumIsTheTree) { check_lane_sum_is_the_tree(world()); }
TEST(MpiRanks, RanksOfOneHostKnowTheirPlace) {
  EXPECT_EQ(world().local_size(), world().size());
  EXPECT_EQ(world().local_rank(), world().rank());
}

}  // namespace
}  // namespace entrain::tests
