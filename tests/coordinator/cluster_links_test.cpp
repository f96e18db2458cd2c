#include "coordinator/cluster_links.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/error.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Numbers that are easy to reckon with: hops of 1 and 10 us, 100 GB/s inside and 10 GB/s out of a GPU.
Cluster round_numbers(std::int64_t nodes, std::int64_t gpus) {
  Cluster c;
  c.nodes = nodes, c.gpus = gpus;
  c.intra_alpha_s = 1e-6, c.inter_alpha_s = 10e-6, c.intra_rate = 100e9, c.inter_rate = 10e9;
  return c;
}

TEST(ClusterLinks, OneRankTalksToNobody) {
  const Cluster c = round_numbers(1, 8);
  EXPECT_EQ(all_gather_seconds(c, 1, 1e9), 0);
  EXPECT_EQ(all_reduce_seconds(c, 1, 1e9), 0);
  EXPECT_EQ(all_to_all_seconds(c, 1, 1e9), 0);
}

TEST(ClusterLinks, AllGatherByHand) {
  // 4 GPUs of one node, nothing but hops: LL begins in 6.6 us, 3 hops of 1 us.
  EXPECT_NEAR(all_gather_seconds(round_numbers(1, 4), 4, 0), 9.6e-6, 1e-12);
  // 2 x 4 GPUs, 80 GB: Simple. 8.4 us; 7 hops of which 1 leaves: 6 x 3.4 + 1 x 52 us; 7/8 x 80 GB at the 40 GB/s of
  // four cards.
  EXPECT_NEAR(all_gather_seconds(round_numbers(2, 4), 8, 80e9), 8.4e-6 + 6 * 3.4e-6 + 52e-6 + 70.0 / 40,
              1e-9);
}

TEST(ClusterLinks, AllReduceByHand) {
  // Small: the tree of 16 x 8 GPUs goes up and down 7 hops inside and 4 between nodes, a ring 240 and 14 or so.
  EXPECT_NEAR(all_reduce_seconds(round_numbers(16, 8), 128, 0), 6.6e-6 + 2 * (7e-6 + 40e-6), 1e-12);
  // Large, 2 nodes of 1 GPU: the ring sends 2 x 1/2 of the bytes, the tree 2 x: the ring it is, and LL128's 0.92 loses.
  EXPECT_NEAR(all_reduce_seconds(round_numbers(2, 1), 2, 10e9), 8.4e-6 + 2 * 52e-6 + 10e9 / 10e9, 1e-9);
}

TEST(ClusterLinks, AllToAllByHand) {
  // 2 x 4 GPUs, 8 GB each: 1 GB to every rank. 3 stay, 4 leave through the GPU's own card: 4 GB at 10 GB/s.
  EXPECT_NEAR(all_to_all_seconds(round_numbers(2, 4), 8, 8e9), 8.4e-6 + 3e-6 + 40e-6 + 0.4, 1e-9);
  // In one node they leave nothing: 3 GB at 100 GB/s.
  EXPECT_NEAR(all_to_all_seconds(round_numbers(1, 4), 4, 4e9), 8.4e-6 + 3e-6 + 0.03, 1e-9);
  // Inside each of the two nodes, 3 of 4 parts; across, half of it over the card, and no other hop.
  EXPECT_NEAR(all_to_all_seconds(round_numbers(2, 4), 8, 4e9, Among::kNode), 8.4e-6 + 3e-6 + 0.03, 1e-9);
  EXPECT_NEAR(all_to_all_seconds(round_numbers(2, 4), 8, 4e9, Among::kAcross), 8.4e-6 + 10e-6 + 0.2, 1e-9);
}

// H100 nodes by the program's own defaults, against a table made from NCCL's formulas by another script. That one knows
// NVLS and different hops of rings and trees too: all-reduces come within a sixth, gathers within a twentieth.
TEST(ClusterLinks, DefaultsAreNearThePublishedFormulas) {
  const Cluster c;
  const auto near = [](double got, double want, double off) {
    EXPECT_NEAR(got / want, 1, off) << got << " for " << want;
  };
  near(all_reduce_seconds(c, 8, 112e6), 0.43e-3, 0.1);
  near(all_reduce_seconds(c, 32, 112e6), 0.70e-3, 0.1);
  near(all_reduce_seconds(c, 256, 112e6), 0.87e-3, 0.17);
  near(all_reduce_seconds(c, 8, 998e6), 3.7e-3, 0.1);
  near(all_reduce_seconds(c, 256, 998e6), 5.9e-3, 0.1);
  near(all_gather_seconds(c, 8, 4.2e6), 37e-6, 0.05);
  near(all_gather_seconds(c, 32, 4.2e6), 91e-6, 0.05);
  near(all_gather_seconds(c, 256, 4.2e6), 434e-6, 0.05);
  near(all_gather_seconds(c, 32, 33e3), 44e-6, 0.05);
  near(all_gather_seconds(c, 256, 33e3), 315e-6, 0.05);
}

TEST(ClusterLinks, HalvingTheBandwidthDoublesTheTransferAndNothingElse) {
  const Cluster whole = round_numbers(4, 2);
  Cluster half = whole;
  half.inter_rate /= 2;
  using Seconds = double (*)(const Cluster&, std::int64_t, double);
  for (const Seconds seconds : {Seconds{all_gather_seconds}, Seconds{all_reduce_seconds},
                                Seconds{[](const Cluster&c, std::int64_t ranks, double bytes) {
                                  return all_to_all_seconds(c, ranks, bytes);
                                }}}) {
    // Far above the protocols' crossings: the difference of two sizes is transfer alone.
    const auto transfer = [&](const Cluster& c) { return seconds(c, 8, 40e9) - seconds(c, 8, 20e9); };
    ASSERT_GT(transfer(whole), 0.1) << "nothing transferred would prove nothing";
    EXPECT_NEAR(transfer(half) / transfer(whole), 2, 1e-6);
    EXPECT_EQ(seconds(half, 8, 0), seconds(whole, 8, 0)) << "latency knows no bandwidth";
    Cluster far = whole;
    far.inter_alpha_s *= 2;
    EXPECT_GT(seconds(far, 8, 0), seconds(whole, 8, 0) * 1.3);
    EXPECT_NEAR(transfer(far), transfer(whole), 1e-9);
  }
}

TEST(ClusterLinks, MoreBytesAndMoreNodesTakeLonger) {
  const Cluster c = round_numbers(32, 8);
  for (double bytes = 64; bytes < 1e10; bytes *= 3)
    for (std::int64_t ranks = 8; ranks <= 256; ranks *= 2) {
      EXPECT_LT(all_gather_seconds(c, ranks, bytes), all_gather_seconds(c, ranks, 3 * bytes));
      EXPECT_LT(all_reduce_seconds(c, ranks, bytes), all_reduce_seconds(c, ranks, 3 * bytes));
      EXPECT_LT(all_to_all_seconds(c, ranks, bytes), all_to_all_seconds(c, ranks, 3 * bytes));
      if (ranks == 256) continue;
      EXPECT_LT(all_gather_seconds(c, ranks, bytes), all_gather_seconds(c, 2 * ranks, bytes));
      EXPECT_LT(all_to_all_seconds(c, ranks, bytes), all_to_all_seconds(c, 2 * ranks, bytes));
    }
}

TEST(ClusterOption, ReadsKeysInTheirUnits) {
  const Cluster c = parse_cluster(
      "nodes=32,gpus=8,alpha_us=5,beta_gbs=25,intra_alpha_us=2,intra_beta_gbs=300,views_per_s=1800.5,"
      "price_per_gpu_hour=2.5,gpu=a100");
  EXPECT_EQ(c.nodes, 32);
  EXPECT_EQ(c.gpus, 8);
  EXPECT_DOUBLE_EQ(c.inter_alpha_s, 5e-6);
  EXPECT_DOUBLE_EQ(c.inter_rate, 25e9);
  EXPECT_DOUBLE_EQ(c.intra_alpha_s, 2e-6);
  EXPECT_DOUBLE_EQ(c.intra_rate, 300e9);
  EXPECT_DOUBLE_EQ(c.views_per_s, 1800.5);
  EXPECT_DOUBLE_EQ(c.price_per_gpu_hour, 2.5);
  EXPECT_EQ(c.gpu, "a100");
  EXPECT_THAT(parse_cluster("nodes=2,gpus=4").given, ElementsAre("nodes", "gpus"));
}

TEST(ClusterOption, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const std::string& text, const auto& why) {
    EXPECT_THAT([&] { parse_cluster(text); }, ThrowsMessage<ConfigError>(why)) << text;
  };
  refused("nodes=2,gpus=8,betagbs=3", AllOf(HasSubstr("no key \"betagbs\"; did you mean beta_gbs?"),
                                            HasSubstr("intra_alpha_us"), HasSubstr("price_per_gpu_hour")));
  refused("nodes=2", HasSubstr("got no gpus"));
  refused("", HasSubstr("got no nodes"));
  refused("nodes=2,gpus=8,nodes=3", HasSubstr("given twice"));
  refused("nodes=2.5,gpus=8", HasSubstr("whole number"));
  refused("nodes=0,gpus=8", HasSubstr("nodes: want"));
  refused("nodes=2,gpus=8x", HasSubstr("got \"8x\""));
  refused("nodes=2,gpus=8,beta_gbs=-1", HasSubstr("above 0"));
  refused("nodes=2,gpus=8,beta_gbs=nan", HasSubstr("above 0"));
  refused("nodes=2,gpus", HasSubstr("want key=value, got \"gpus\""));
  refused("nodes=2,gpus=8,gpu=abacus", HasSubstr("known are a100, h100, h200"));
}

}  // namespace
}  // namespace entrain::coordinator
