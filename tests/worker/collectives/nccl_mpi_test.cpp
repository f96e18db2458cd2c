// The production nccl.cpp over the stand-in, in memory that catches every access to what is in flight.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/control/progress.hpp"
#include "tests/support/ranks.hpp"
#include "tests/worker/collectives/collectives_checks.hpp"
#include "tests/worker/collectives/nccl_world.hpp"
#include "tests/worker/device/guarded_tensors.hpp"
#include "worker/collectives/bucket_reducer.hpp"
#include "worker/collectives/lane_tree.hpp"
#include "worker/models/network.hpp"

namespace entrain::tests {
namespace {

using testing::HasSubstr;

const bool guarded = [] {
  guard_tensors();
  return true;
}();

// The same on whoever asks: numbers of very different size.
at::Tensor numbers_of(int rank, std::int64_t rows, std::uint64_t salt) {
  auto draws = at::make_generator<at::CPUGeneratorImpl>(1000 * salt + static_cast<std::uint64_t>(rank));
  return at::randn({rows, 3}, draws, at::kFloat) *
         at::pow(2, at::randint(0, 20, {rows, 1}, draws, at::kFloat));
}

// What a rank gets of each collective, over whatever collectives; uneven lanes: 8 rows on 3 ranks are 3, 3 and 2.
std::vector<at::Tensor> all_collectives(worker::Collectives& comm) {
  const int me = comm.rank(), world_size = comm.size();
  std::vector<at::Tensor> got;
  for (const std::int64_t total : {8, 12, 1}) {
    const auto block = lanes_of(me, world_size, total);
    const auto gathered = comm.all_gather_rows(numbers_of(me, block.count, 1));
    got.push_back(gathered.all);
    got.push_back(at::scalar_tensor(gathered.first, at::kLong));
  }
  got.push_back(comm.all_gather_rows((numbers_of(me, 4, 2) * 100).to(at::kByte)).all);
  std::vector<std::int64_t> send, receive;
  for (int r = 0; r < world_size; ++r) {
    send.push_back(5 * ((me + r) % 3));  // also nothing
    receive.push_back(5 * ((me + r) % 3));
  }
  const std::int64_t sum = std::accumulate(send.begin(), send.end(), std::int64_t{0});
  got.push_back(comm.all_to_all(numbers_of(me, sum, 3).flatten().narrow(0, 0, sum).clone(), send, receive));
  at::Tensor integers = at::round(numbers_of(me, 50, 4));
  comm.all_reduce_sum_(integers);
  got.push_back(integers);
  at::Tensor longs = numbers_of(me, 50, 5).to(at::kLong);
  comm.all_reduce_sum_(longs);
  got.push_back(longs);
  return got;
}

TEST(NcclRanks, UnevenRowsComeInRankOrder) { check_uneven_rows_come_in_rank_order(*NcclWorld().comm); }
TEST(NcclRanks, AllToAllMovesEveryPiece) { check_all_to_all_moves_every_piece(*NcclWorld().comm); }
TEST(NcclRanks, SumMaxAndText) { check_sum_max_and_text(*NcclWorld().comm); }
TEST(NcclRanks, LaneSumIsTheTree) { check_lane_sum_is_the_tree(*NcclWorld().comm); }

TEST(NcclRanks, EveryCollectiveGivesTheBitsOfMpiAndOfThreads) {
  const auto got = all_collectives(*NcclWorld().comm), by_mpi = all_collectives(world());
  std::vector<at::Tensor> by_threads;
  run_ranks(world().size(), [&](worker::Collectives& comm) {
    auto mine = all_collectives(comm);
    if (comm.rank() == world().rank()) by_threads = std::move(mine);
  });
  ASSERT_GT(got[0].abs().max().item<float>(), 1e-3);
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i], by_mpi[i])) << "result " << i << " unlike MPI's";
    EXPECT_TRUE(at::equal(got[i], by_threads[i])) << "result " << i << " unlike the threads'";
  }
}

// 7.5 million numbers are 1 MB, 25 MB and 4 MB.
TEST(NcclRanks, BucketsBesideBackwardGiveTheNumbersOfOneSumPerBucket) {
  NcclWorld nccl;
  const std::int64_t P = 7'500'000;
  const auto buckets = worker::buckets_of(P, 4);
  ASSERT_EQ(buckets.size(), 3U);
  EXPECT_EQ(buckets[0].first + buckets[0].count, P);
  EXPECT_EQ(buckets[2].first, 0);
  at::manual_seed(static_cast<std::uint64_t>(world().rank()));
  const at::Tensor mine = at::randn({P});
  const at::Tensor want = mine.clone();
  for (const auto& bucket : buckets) {
    at::Tensor part = want.narrow(0, bucket.first, bucket.count).clone();
    nccl.comm->all_reduce_sum_(part);
    want.narrow(0, bucket.first, bucket.count).copy_(part);
  }
  const at::Tensor flat = at::full({P}, NAN);
  worker::BucketReducer reducer(*nccl.comm, flat);
  const std::int64_t step = 1'000'000;
  for (std::int64_t end = P; end > 0; end -= std::min(step, end)) {  // backward: from the end, piece by piece
    const std::int64_t first = std::max<std::int64_t>(0, end - step);
    flat.narrow(0, first, end - first).copy_(mine.narrow(0, first, end - first));
    reducer.complete_from(first);
  }
  reducer.finish();
  EXPECT_TRUE(at::equal(flat, want));
  if (world().size() > 1) {
    EXPECT_FALSE(at::equal(flat, mine));
  }
}

// The whole of a strict step's sum: gradients of four lanes of a BiT, wherever the lanes are.
TEST(NcclRanks, TheStrictTreeOverAModelsGradientsHasTheSameBits) {
  NcclWorld nccl;
  worker::ContrastiveNetwork network({"bit_r14x0.5", 1, 16, 0}, 1, 7);
  network.encoder.standardise();
  const std::int64_t lanes = 4, P = network.parameters.numel();
  const worker::LaneLayout layout{lanes, 1, 2, lanes_of(world().rank(), world().size(), lanes)};
  worker::LaneReducer by_nccl(layout), by_mpi(layout);
  std::vector<at::Tensor> all;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    at::manual_seed(static_cast<std::uint64_t>(lane));
    auto graph = network.encoder.forward_lane(at::randn({2, 1, 32, 32}));
    const at::Tensor dh = at::randn_like(graph.h_LF), gradient = at::zeros({P});
    network.encoder.backward_lane(std::move(graph), dh, gradient);
    all.push_back(gradient);
    if (lane < layout.mine.first || lane >= layout.mine.first + layout.mine.count) continue;
    by_nccl.push(lane, gradient.clone());
    by_mpi.push(lane, gradient.clone());
  }
  const at::Tensor want = worker::tree_sum(at::stack(all));
  ASSERT_GT(want.abs().max().item<float>(), 1e-3) << "a zero gradient would prove nothing";
  EXPECT_TRUE(at::equal(by_nccl.sum_over_lanes(*nccl.comm), want));
  EXPECT_TRUE(at::equal(by_mpi.sum_over_lanes(world()), want));
}

TEST(NcclRanks, AnAbortEndsEveryLaterCallWithItsReason) {
  NcclWorld nccl;
  nccl.comm->barrier();
  std::jthread([&] { nccl.comm->abort("the failure detector says so"); });
  nccl.comm->abort("a second reason");
  const auto reason_of = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const CommError& e) {
      return e.what();
    }
    return "nothing thrown";
  };
  at::Tensor t = at::ones({3});
  const std::string want = "the failure detector says so";
  EXPECT_EQ(reason_of([&] { nccl.comm->check(); }), want);
  EXPECT_EQ(reason_of([&] { nccl.comm->all_gather_rows(t); }), want);
  EXPECT_EQ(reason_of([&] { nccl.comm->all_reduce_sum_(t); }), want);
  EXPECT_EQ(reason_of([&] { nccl.comm->start_all_reduce_sum_(t); }), want);
  EXPECT_EQ(reason_of([&] { nccl.comm->all_reduce_max(1); }), want);
  EXPECT_EQ(reason_of([&] { nccl.comm->barrier(); }), want);
  EXPECT_EQ(reason_of([&] { nccl.device->synchronize([&] { nccl.comm->check(); }); }), want);
  world().barrier();
}

TEST(NcclRanks, ThreeVersionsOfNcclMustBeOne) {
  const auto device = worker::open_device("cuda", world());
  if (world().rank() == 0) ::setenv("ENTRAIN_STANDIN_NCCL_VERSION", "22809", 1);
  try {
    worker::make_nccl_collectives(*device, world());
    ADD_FAILURE() << "nothing thrown";
  } catch (const LaunchError& e) {
    EXPECT_THAT(e.what(), HasSubstr("rank 0: this entrain was built with NCCL 2.29.7"));
    EXPECT_THAT(e.what(), HasSubstr("library loaded is 2.28.9"));
    EXPECT_TRUE(e.on_all_ranks());
  }
  ::unsetenv("ENTRAIN_STANDIN_NCCL_VERSION");
}

TEST(NcclRanks, WhoIsBehindCanBeTold) {
  NcclWorld nccl;
  const auto before = control::progress().snapshot().collectives;
  nccl.comm->all_gather_rows(at::ones({1}));
  EXPECT_EQ(control::progress().snapshot().collectives, before + 1);
}

}  // namespace
}  // namespace entrain::tests
