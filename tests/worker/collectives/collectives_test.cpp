#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>

#include "configs/error.hpp"
#include "tests/support/ranks.hpp"
#include "tests/worker/collectives/collectives_checks.hpp"
#include "worker/collectives/lane_threads.hpp"
#include "worker/collectives/lane_tree.hpp"

namespace entrain::tests {
namespace {

class LocalRanks : public testing::TestWithParam<int> {};
TEST_P(LocalRanks, UnevenRowsComeInRankOrder) { run_ranks(GetParam(), check_uneven_rows_come_in_rank_order); }
TEST_P(LocalRanks, AllToAllMovesEveryPiece) { run_ranks(GetParam(), check_all_to_all_moves_every_piece); }
TEST_P(LocalRanks, SumMaxAndText) { run_ranks(GetParam(), check_sum_max_and_text); }
TEST_P(LocalRanks, LaneSumIsTheTree) { run_ranks(GetParam(), check_lane_sum_is_the_tree); }
INSTANTIATE_TEST_SUITE_P(Ranks, LocalRanks, testing::Values(1, 2, 3, 4, 5, 8));

TEST(LocalRanks, AFailingRankWakesTheOthers) {
  std::atomic<int> woken = 0;
  EXPECT_THROW(run_ranks(3,
                         [&](worker::Collectives& comm) {
                           if (comm.rank() == 1) throw DataError("rank 1 cannot read");
                           try {
                             comm.barrier();
                           } catch (const CommError&) {
                             ++woken;
                             throw;
                           }
                         }),
               Error);
  EXPECT_EQ(woken, 2);
}

// Merging whenever two heights are equal builds subtrees that the global tree does not have: lanes 3..5 of 8
// (rank 1 of 3) must stay 3 | 4+5, never (3+4) | 5.
TEST(LaneReducer, ABlockThatBeginsAtAnOddLaneKeepsToTheTree) {
  const float big = 1e8F;
  const at::Tensor lanes = at::tensor({0.F, 0.F, 0.F, big, -big, 1.F, 0.F, 0.F}).unsqueeze(1);
  ASSERT_EQ(worker::tree_sum(lanes).item<float>(), 0.F);  // big + (-big + 1), and 1 is lost beside big
  ASSERT_EQ((big + -big) + 1.F, 1.F);                     // the wrong order would keep it
  run_ranks(3, [&](worker::Collectives& comm) {
    const worker::LaneLayout layout{8, 1, 2, lanes_of(comm.rank(), 3, 8)};
    worker::LaneReducer reducer(layout);
    for (std::int64_t i = 0; i < layout.mine.count; ++i)
      reducer.push(layout.mine.first + i, lanes[layout.mine.first + i].clone());
    EXPECT_EQ(reducer.sum_over_lanes(comm).item<float>(), 0.F);
  });
}

TEST(LaneReducer, AMissingLaneIsAnError) {
  run_ranks(1, [](worker::Collectives& comm) {
    worker::LaneReducer reducer({4, 1, 2, {0, 4}});
    for (const std::int64_t lane : {0, 1, 3}) reducer.push(lane, at::ones({2}));
    EXPECT_THROW(reducer.sum_over_lanes(comm), c10::Error);
  });
}

TEST(LaneThreads, EveryPieceRunsOnceAndTheFirstFailureIsRethrown) {
  worker::LaneThreads threads(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int>> calls(17);
    threads.for_each(17, [&](std::int64_t i) { ++calls[i]; });
    for (const auto& c : calls) ASSERT_EQ(c, 1);
  }
  try {
    threads.for_each(8, [](std::int64_t i) {
      if (i >= 3) throw DataError(std::to_string(i));
    });
    FAIL() << "nothing was thrown";
  } catch (const DataError& e) {
    EXPECT_STREQ(e.what(), "3");
  }
  threads.for_each(2, [](std::int64_t) {});  // usable afterwards
}

}  // namespace
}  // namespace entrain::tests
