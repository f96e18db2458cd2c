#include "tests/worker/collectives/collectives_checks.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "configs/cat.hpp"
#include "configs/philox.hpp"
#include "worker/collectives/lane_tree.hpp"

namespace entrain::tests {
namespace {

// Values of very different size, so that the order of a sum shows in its bits.
at::Tensor lane_gradient(std::int64_t lane, std::int64_t P) {
  const at::Tensor g = at::empty({P}, at::kFloat);
  for (std::int64_t i = 0; i < P; ++i) {
    Draws draws(7, Purpose::kInit, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(lane));
    g.mutable_data_ptr<float>()[i] =
        static_cast<float>(std::ldexp(draws.uniform(-1, 1), static_cast<int>(draws.below(20))));
  }
  return g;
}

}  // namespace

void check_uneven_rows_come_in_rank_order(worker::Collectives& comm) {
  const std::int64_t mine = comm.rank() + 1;  // 1, 2, 3, ... rows
  const auto gathered = comm.all_gather_rows(at::full({mine, 2}, comm.rank() + 1, at::kDouble));
  std::int64_t row = 0;
  for (int r = 0; r < comm.size(); ++r) {
    if (r == comm.rank()) {
      EXPECT_EQ(gathered.first, row);
    }
    for (std::int64_t i = 0; i <= r; ++i, ++row) EXPECT_EQ(gathered.all[row][1].item<double>(), r + 1);
  }
  ASSERT_EQ(gathered.all.size(0), row);
  const auto only_last = comm.all_gather_rows(at::ones({comm.rank() + 1 == comm.size() ? 3 : 0, 2}));
  EXPECT_EQ(only_last.all.size(0), 3) << "ranks without rows take part";
}

void check_all_to_all_moves_every_piece(worker::Collectives& comm) {
  std::vector<std::int64_t> send_counts, receive_counts;
  std::vector<float> send;
  for (int r = 0; r < comm.size(); ++r) {  // r + 1 copies of 100 * sender + receiver
    send_counts.push_back(r + 1);
    receive_counts.push_back(comm.rank() + 1);
    send.insert(send.end(), r + 1, static_cast<float>(100 * comm.rank() + r));
  }
  const at::Tensor got = comm.all_to_all(at::tensor(send), send_counts, receive_counts);
  ASSERT_EQ(got.numel(), comm.size() * (comm.rank() + 1));
  for (std::int64_t i = 0; i < got.numel(); ++i)
    EXPECT_EQ(got[i].item<float>(),
              100 * static_cast<float>(i / (comm.rank() + 1)) + static_cast<float>(comm.rank()));
}

void check_sum_max_and_text(worker::Collectives& comm) {
  at::Tensor t = at::full({3}, comm.rank() + 1, at::kLong);
  comm.all_reduce_sum_(t);
  EXPECT_EQ(t[2].item<std::int64_t>(), comm.size() * (comm.size() + 1) / 2);
  EXPECT_EQ(comm.all_reduce_max(comm.rank() * 5 - 3), (comm.size() - 1) * 5 - 3);
  const auto texts =
      comm.all_gather_text(std::string(static_cast<std::size_t>(comm.rank()), 'x') + cat(comm.rank()));
  ASSERT_EQ(static_cast<int>(texts.size()), comm.size());
  for (int r = 0; r < comm.size(); ++r)
    EXPECT_EQ(texts[r], std::string(static_cast<std::size_t>(r), 'x') + cat(r));
  comm.barrier();
}

void check_lane_sum_is_the_tree(worker::Collectives& comm) {
  const std::int64_t P = 37;  // does not divide by the number of ranks
  for (const std::int64_t V : {4, 8, 64}) {
    if (comm.size() > V) continue;
    std::vector<at::Tensor> all;
    for (std::int64_t lane = 0; lane < V; ++lane) all.push_back(lane_gradient(lane, P));
    const at::Tensor want = worker::tree_sum(at::stack(all));
    at::Tensor one_after_another = at::zeros({P});
    for (const at::Tensor& g : all) one_after_another += g;
    ASSERT_TRUE(V < 8 || !at::equal(want, one_after_another))
        << "these values cannot tell one order from another";

    const worker::LaneLayout layout{V, 1, 2, lanes_of(comm.rank(), comm.size(), V)};
    worker::LaneReducer reducer(layout);
    for (int repeat = 0; repeat < 2; ++repeat) {            // a second step finds the reducer as new
      for (std::int64_t i = layout.mine.count; i-- > 0;) {  // last lane first
        const std::int64_t lane = layout.mine.first + i;
        reducer.push(lane, all[lane].clone());
      }
      EXPECT_TRUE(at::equal(reducer.sum_over_lanes(comm), want))
          << V << " lanes on " << comm.size() << " ranks";
    }
  }
}

}  // namespace entrain::tests
