#include "coordinator/cluster_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "configs/reader.hpp"
#include "coordinator/cluster_gpus.hpp"
#include "coordinator/cluster_ranks.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Asked {
  RunConfig config;
  Plan plan;
  ClusterPlan predict(const std::string& cluster) const {
    return plan_cluster(config, plan, parse_cluster(cluster));
  }
};

Asked asked(std::vector<std::string> overrides = {}) {
  overrides.insert(overrides.begin(), {"batch.lanes=64", "batch.lane_images=16", "train.steps=3600",
                                       "model.name=bit_r50x1", "views.crop_pixels=224"});
  const RunConfig config = read_run_config("", overrides).config;
  PlanInput input;
  input.num_samples = 100'000, input.image = {224, 224, 3, sharding::ElementType::kU8};
  return {config, make_plan(config, input)};
}

const ClusterRow& row(const ClusterPlan& plan, std::int64_t ranks, bool fast) {
  for (const ClusterRow& r : plan.rows)
    if (r.ranks == ranks && r.fast == fast) return r;
  throw std::out_of_range("no such row");
}

double bytes_of(const ClusterRow& row, const std::string& what) {
  for (const StepCall& call : row.calls)
    if (call.what == what) return call.bytes;
  return -1;
}

TEST(ClusterPlan, AStepSendsWhatTheLoopSends) {
  const auto a = asked();
  const auto plan = a.predict("nodes=8,gpus=8");
  const ClusterRow& strict = row(plan, 64, false);
  EXPECT_EQ(bytes_of(strict, "z"), 2048 * 128 * 4);
  EXPECT_EQ(bytes_of(strict, "log-sum-exp"), 2048 * 3 * 8);
  const double parameters = static_cast<double>(a.plan.encoder_parameters + a.plan.head_parameters);
  EXPECT_EQ(bytes_of(strict, "gradients, finished"), 4 * parameters);
  // A GPU's lane in its node, then its eighth of the node's sum, which is a subtree again.
  EXPECT_EQ(bytes_of(strict, "gradients, inside each node"), 4 * parameters);
  EXPECT_EQ(bytes_of(strict, "a node's gradients, to who finishes the tree"), 4 * parameters / 8);
  EXPECT_EQ(bytes_of(row(plan, 8, false), "gradients, to who finishes the tree"), 4 * parameters);
  EXPECT_EQ(bytes_of(row(plan, 64, true), "gradients"), 4 * parameters);
  EXPECT_EQ(bytes_of(strict, "groups"), -1);
  EXPECT_EQ(bytes_of(row(asked({"batch.same_group=mask"}).predict("nodes=1,gpus=8"), 8, false), "groups"),
            2048 * 8);
  // Two layers, forward and back: 64 lanes x (mean, squares) x 2,048 or 128 columns.
  std::vector<double> norms;
  for (const StepCall& call : strict.calls)
    if (call.times == 2) norms.push_back(call.bytes);
  EXPECT_THAT(norms, ElementsAre(64 * 2 * 2048 * 4, 64 * 2 * 128 * 4));
}

// 8 lanes on 3 ranks: 3, 3, 2 lanes are subtrees 2+1, 1+2, 2: a rank receives 5 thirds.
TEST(ClusterPlan, UnevenRanksSendMoreThanOneSubtree) {
  EXPECT_EQ(most_subtrees(8, 8), 1);
  EXPECT_EQ(most_subtrees(8, 3), 2);
  EXPECT_EQ(most_subtrees(64, 3), 5);
  const auto a = asked({"batch.lanes=8"});
  const double parameters = static_cast<double>(a.plan.encoder_parameters + a.plan.head_parameters);
  EXPECT_EQ(bytes_of(row(a.predict("nodes=3,gpus=1"), 3, false), "gradients, to who finishes the tree"),
            2 * 4 * parameters);
  // 8 lanes on 3 nodes of 2 ranks: 2, 2, 1, 1, 1, 1 lanes. No node has one whole half of a tree more than its neighbour:
  // lanes 0..3, 4..5, 6..7.
  const auto nodes = row(a.predict("nodes=3,gpus=2"), 6, false);
  EXPECT_EQ(bytes_of(nodes, "gradients, inside each node"), 4 * parameters);
  EXPECT_EQ(bytes_of(nodes, "a node's gradients, to who finishes the tree"), 4 * parameters / 2);
}

TEST(ClusterPlan, ByHandWhereTheNetworkCostsNothing) {
  const auto plan = asked().predict(
      "nodes=8,gpus=8,views_per_s=1024,alpha_us=1e-6,beta_gbs=1e6,intra_alpha_us=1e-6,intra_beta_gbs=1e6,"
      "price_per_gpu_hour=2");
  const ClusterRow& r = row(plan, 8, false);  // 2,048 views over 8 GPUs at 1,024 views/s
  EXPECT_NEAR(r.compute_s, 0.25, 1e-12);
  EXPECT_NEAR(r.step_s, 0.25, 1e-3);
  EXPECT_NEAR(r.images_per_s, 4096, 16);
  EXPECT_NEAR(r.efficiency, 1, 2e-3);
  EXPECT_NEAR(r.hours, 0.25, 1e-3);  // 3,600 steps
  EXPECT_NEAR(r.gpu_hours, 2, 8e-3);
  EXPECT_NEAR(r.cost, 4, 16e-3);
  EXPECT_LT(r.efficiency, 1) << "begin times remain";
}

TEST(ClusterPlan, StepIsComputingAndWhatIsExposed) {
  const auto plan = asked().predict("nodes=8,gpus=8");
  ASSERT_EQ(plan.rows.size(), 8U);  // 8, 16, 32, 64; strict and fast
  for (const ClusterRow& r : plan.rows) {
    EXPECT_DOUBLE_EQ(r.step_s, r.compute_s + r.exposed_s);
    EXPECT_LE(r.exposed_s, r.communication_s + 1e-3);  // buckets begin more often than one large sum
    double sum = 0;
    for (const StepCall& call : r.calls) sum += call_seconds(call, plan.cluster, r.ranks);
    EXPECT_DOUBLE_EQ(r.communication_s, sum);
    if (!r.fast) {
      EXPECT_DOUBLE_EQ(r.exposed_s, r.communication_s) << "nothing of strict is hidden";
      EXPECT_LT(row(plan, r.ranks, true).exposed_s, r.exposed_s);
    }
  }
}

TEST(ClusterPlan, MoreGpusAreFasterAndLessEfficient) {
  const auto plan = asked().predict("nodes=8,gpus=8");
  for (const bool fast : {false, true})
    for (std::int64_t ranks = 8; ranks < 64; ranks *= 2) {
      const ClusterRow &few = row(plan, ranks, fast), &many = row(plan, 2 * ranks, fast);
      EXPECT_GT(many.images_per_s, few.images_per_s);
      EXPECT_LT(many.efficiency, few.efficiency);
      EXPECT_LT(many.hours, few.hours);
      EXPECT_GT(many.gpu_hours, few.gpu_hours);
    }
}

TEST(ClusterPlan, ASlowNetworkIsSeen) {
  const auto a = asked();
  const ClusterRow fast_net = row(a.predict("nodes=8,gpus=8,beta_gbs=46"), 64, false);
  const ClusterRow slow_net = row(a.predict("nodes=8,gpus=8,beta_gbs=2.3"), 64, false);
  EXPECT_GT(slow_net.exposed_s, 5 * fast_net.exposed_s);
  EXPECT_LT(slow_net.efficiency, fast_net.efficiency - 0.2);
  EXPECT_EQ(slow_net.compute_s, fast_net.compute_s);
  // 8 GPUs of one node never leave it.
  EXPECT_EQ(row(a.predict("nodes=8,gpus=8,beta_gbs=46"), 8, false).step_s,
            row(a.predict("nodes=8,gpus=8,beta_gbs=2.3"), 8, false).step_s);
}

TEST(ClusterPlan, RanksWithoutALaneAreToldNotPredicted) {
  const auto a = asked({"batch.lanes=32"});
  const auto plan = a.predict("nodes=32,gpus=8");
  EXPECT_THAT(plan.without_lanes, ElementsAre(64, 128, 256));
  EXPECT_EQ(plan.rows.size(), 6U);
  const std::string text = cluster_text(plan, a.plan, a.config);
  EXPECT_THAT(text, HasSubstr("64, 128, 256 GPUs: more than lanes (32)"));
  const auto three = a.predict("nodes=3,gpus=1");
  EXPECT_THAT(three.uneven, ElementsAre(3));
}

// Four buckets of 25 MB that take 10 ms each, after one of 1 MB, at 2.5 GB/s and no latency to speak of.
TEST(ClusterPlan, BucketsHideBehindTheBackwardPass) {
  Cluster c;
  c.nodes = 2, c.gpus = 1;
  c.inter_alpha_s = c.intra_alpha_s = 1e-12, c.inter_rate = 2.5e9;
  const double bytes = 101e6;
  const auto exposed = [&](double backward_s) { return exposed_reduce_seconds(c, 2, bytes, backward_s); };
  EXPECT_NEAR(exposed(0), bytes / 2.5e9, 1e-4);  // nothing to hide behind
  EXPECT_NEAR(exposed(1), 25e6 / 2.5e9, 1e-4);   // all but the last bucket
  // The network is the slower one: idle until the first large bucket is there at 5.2 ms, busy from then on.
  EXPECT_NEAR(exposed(0.0202), 0.0052 + 4 * 0.010 - 0.0202, 1e-4);
  EXPECT_GE(exposed(0.01), exposed(0.02));
}

TEST(ClusterPlan, SpeedIsAssumedUntilItIsGiven) {
  const auto a = asked({"run.precision=bf16"});
  const auto assumed = a.predict("nodes=1,gpus=8"), given = a.predict("nodes=1,gpus=8,views_per_s=2000");
  EXPECT_NEAR(assumed.views_per_s, 989e12 * 0.075 / (6 * 4.087e9), 5);
  EXPECT_EQ(given.views_per_s, 2000);
  EXPECT_NEAR(asked().predict("nodes=1,gpus=8").views_per_s, assumed.views_per_s / kFp32Slowdown, 1e-6);
  EXPECT_THAT(cluster_text(assumed, a.plan, a.config),
              HasSubstr("assumed: h100, 989 TFLOP/s (bf16) x 7.50 %"));
  EXPECT_THAT(cluster_text(given, a.plan, a.config), HasSubstr("given (views_per_s)"));
  EXPECT_THAT(cluster_text(given, a.plan, a.config), Not(HasSubstr("cost")));
  EXPECT_THAT(cluster_text(a.predict("nodes=1,gpus=8,price_per_gpu_hour=3"), a.plan, a.config),
              HasSubstr("cost"));
}

TEST(ClusterPlan, JsonSaysTheSame) {
  const auto a = asked();
  const auto plan = a.predict("nodes=2,gpus=4");
  const auto json = cluster_json(plan);
  ASSERT_EQ(json["rows"].size(), plan.rows.size());
  EXPECT_EQ(json["rows"][0]["gpus"], 4);
  EXPECT_EQ(json["rows"][0]["step_s"], plan.rows[0].step_s);
  EXPECT_EQ(json["rows"][0]["calls"].size(), plan.rows[0].calls.size());
  EXPECT_EQ(json["views_per_s_assumed"], true);
  EXPECT_FALSE(json["rows"][0].contains("cost"));
}

TEST(ClusterRanks, OfANodeFollowOneAnother) {
  EXPECT_THAT(scattered_ranks({}), IsEmpty());
  EXPECT_THAT(scattered_ranks({"a", "a", "a"}), IsEmpty());
  EXPECT_THAT(scattered_ranks({"b", "b", "a", "a", "c"}), IsEmpty()) << "the order of nodes does not matter";
  EXPECT_THAT(scattered_ranks({"a", "b", "a", "b"}),
              HasSubstr("ranks 0 and 2 are on node a, but rank 1 is on b"));
  EXPECT_THAT(scattered_ranks({"a", "a", "b", "b", "c", "b"}), HasSubstr("ranks 2 and 5 are on node b"));
  EXPECT_THAT(scattered_ranks({"a", "b", "a"}), HasSubstr("--distribution=block"));
}

}  // namespace
}  // namespace entrain::coordinator
