#include "worker/collectives/finish_tree.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/forwarding_collectives.hpp"
#include "tests/support/ranks.hpp"
#include "worker/collectives/lane_tree.hpp"
#include "worker/collectives/node_blocks.hpp"

namespace entrain::tests {
namespace {

// Counts what a rank sends to ranks of other nodes.
class Counting final : public ForwardingCollectives {
 public:
  explicit Counting(worker::Collectives& inner) : ForwardingCollectives(inner) {}
  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& out,
                        const std::vector<std::int64_t>& in) override {
    ++exchanges;
    for (int r = 0; r < size(); ++r)
      if (r / ranks_per_node() != rank() / ranks_per_node()) elements += out[r];
    return inner_.all_to_all(send, out, in);
  }

  std::int64_t elements = 0, exchanges = 0;
};

at::Tensor sum_of_rank(worker::Collectives& comm, const at::Tensor& lanes_VP) {
  const worker::LaneLayout layout{lanes_VP.size(0), 1, 2,
                                  lanes_of(comm.rank(), comm.size(), lanes_VP.size(0))};
  worker::LaneReducer reducer(layout);
  for (std::int64_t lane = layout.mine.first; lane < layout.mine.first + layout.mine.count; ++lane)
    reducer.push(lane, lanes_VP[lane].clone());
  return reducer.sum_over_lanes(comm);
}

// Numbers of which no two orders of summing give the same bits.
at::Tensor lanes(std::int64_t num, std::int64_t elements) {
  at::Generator generator = at::detail::createCPUGenerator(num * 1000 + elements);
  return at::randn({num, elements}, generator) *
         at::pow(10.0, at::randint(-3, 4, {num, elements}, generator));
}

struct World {
  int ranks, per_node;
};
class Nodes : public testing::TestWithParam<World> {};

TEST_P(Nodes, TheSumHasTheBitsOfTheTree) {
  const auto [ranks, per_node] = GetParam();
  for (const std::int64_t num : {8, 16, 64})
    for (const std::int64_t elements : {1, 5, 1001}) {
      const at::Tensor all = lanes(num, elements), tree = worker::tree_sum(all);
      if (elements > 5) {
        ASSERT_FALSE(at::equal(tree, all.cumsum(0)[num - 1])) << "one order is as good as another";
      }
      std::atomic<int> equal = 0;
      run_ranks(
          ranks, [&](worker::Collectives& comm) { equal += at::equal(sum_of_rank(comm, all), tree); },
          per_node);
      EXPECT_EQ(equal, ranks) << num << " lanes, " << elements << " elements";
    }
}

INSTANTIATE_TEST_SUITE_P(All, Nodes,
                         testing::Values(World{2, 2}, World{4, 2}, World{6, 2}, World{6, 3}, World{8, 2},
                                         World{8, 4}, World{8, 1}),
                         [](const auto& info) {
                           return std::to_string(info.param.ranks) + "on" +
                                  std::to_string(info.param.ranks / info.param.per_node) + "nodes";
                         });

// 8 lanes on 2 nodes of 4: a rank sends half of a quarter of its node's sum, not half of its own.
TEST(NodeSums, CrossTheNetworkOncePerNodeAndNotPerRank) {
  const at::Tensor all = lanes(8, 800);
  std::atomic<std::int64_t> flat = 0, by_node = 0, rounds = 0;
  run_ranks(8, [&](worker::Collectives& comm) {
    Counting counting(comm);
    sum_of_rank(counting, all);
    flat += counting.elements;
    EXPECT_EQ(counting.exchanges, 1);
  });
  run_ranks(
      8,
      [&](worker::Collectives& comm) {
        Counting counting(comm);
        sum_of_rank(counting, all);
        by_node += counting.elements;
        rounds += counting.exchanges;
      },
      4);
  EXPECT_EQ(flat, 8 * 7 * 100);  // each of 8 nodes of one rank
  EXPECT_EQ(by_node, 8 * 100);
  EXPECT_EQ(rounds, 8 * 2);
}

TEST(NodeBlocks, AreEvenAndSideBySideOrElseOne) {
  using worker::even_ranks_per_node;
  EXPECT_EQ(even_ranks_per_node({0}), 1);
  EXPECT_EQ(even_ranks_per_node({0, 0, 0}), 3);
  EXPECT_EQ(even_ranks_per_node({0, 0, 2, 2, 4, 4}), 2);
  EXPECT_EQ(even_ranks_per_node({0, 1, 2}), 1);
  EXPECT_EQ(even_ranks_per_node({0, 0, 2}), 1) << "uneven";
  EXPECT_EQ(even_ranks_per_node({0, 0, 2, 2, 2, 2}), 1) << "uneven";
  EXPECT_EQ(even_ranks_per_node({0, 1, 0, 1}), 1) << "in turn";
  EXPECT_EQ(even_ranks_per_node({0, 0, 2, 2, 0, 0}), 1) << "in two places";
}

}  // namespace
}  // namespace entrain::tests
