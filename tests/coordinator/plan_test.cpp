#include "coordinator/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"
#include "coordinator/simulate_run.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PlanInput images(std::int64_t n, sharding::ImageShape shape = {64, 64, 1, sharding::ElementType::kU8}) {
  PlanInput input;
  input.num_samples = n, input.image = shape, input.corpus = "for the test";
  return input;
}

ResolvedConfig config(std::vector<std::string> overrides) {
  overrides.insert(overrides.begin(),
                   {"views.preset=xray", "views.crop_pixels=64", "model.name=bit_r14x0.5", "optim.name=adamw",
                    "optim.lr=1e-3", "schedule.scaling=none", "batch.lanes=8", "batch.lane_images=32"});
  return read_run_config("", overrides);
}

TEST(Plan, CountsStepsBatchAndNegatives) {
  const auto plan = make_plan(config({"train.epochs=44"}).config, images(5232));
  EXPECT_EQ(plan.global_batch, 256);
  EXPECT_EQ(plan.negatives, 510);
  EXPECT_EQ(plan.total_steps, 900);  // 44 x 5232 / 256 = 899.25
  EXPECT_NEAR(plan.steps_per_epoch, 20.4375, 1e-9);
  EXPECT_EQ(plan.warmup_steps, 204);
  EXPECT_EQ(plan.encoder_parameters, 2'004'192);
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST(Plan, EveryNumberOfRanksUpToTheLanesIsThere) {
  const auto plan = make_plan(config({"train.steps=10"}).config, images(5232));
  ASSERT_EQ(plan.ranks.size(), 8U);
  const RankPlan& three = plan.ranks[2];
  EXPECT_EQ(three.ranks, 3);
  EXPECT_EQ(three.lanes_min, 2);
  EXPECT_EQ(three.lanes_max, 3);
  EXPECT_EQ(three.images_max, 96);
  EXPECT_NEAR(three.busy, 8.0 / 9, 1e-12);
  EXPECT_EQ(plan.ranks[0].gradient_bytes, 8 * 4 * (plan.encoder_parameters + plan.head_parameters));
  for (const auto& r : plan.ranks) EXPECT_LE(r.memory_bytes(), plan.ranks[0].memory_bytes());
  EXPECT_EQ(plan.ranks[0].optimizer_bytes, 2 * 4 * (plan.encoder_parameters + plan.head_parameters));
  EXPECT_EQ(plan.ranks[7].gradient_bytes, 2 * 4 * (plan.encoder_parameters + plan.head_parameters));
}

// Peak memory of entrain-worker as measured (getrusage) on two cores; MiB.
TEST(Plan, MemoryIsNearWhatWasMeasured) {
  const auto estimated = [](const std::vector<std::string>& overrides) {
    auto all = overrides;
    all.insert(all.end(), {"batch.lanes=4", "train.steps=3"});
    return static_cast<double>(make_plan(config(all).config, images(354)).ranks[0].memory_bytes()) /
           (1 << 20);
  };
  EXPECT_NEAR(estimated({"batch.lane_images=8"}), 390, 39);
  EXPECT_NEAR(estimated({"batch.lane_images=32"}), 586, 59);
  EXPECT_NEAR(estimated({"batch.lane_images=64"}), 942, 94);
  EXPECT_NEAR(estimated({"batch.lane_images=8", "model.name=bit_r50x1"}), 1606, 160);
}

TEST(Plan, TheLedgerIsAsLongAsAMeasuredOne) {
  const auto plan = make_plan(
      config({"train.steps=300", "batch.lanes=4", "batch.lane_images=2", "checkpoint.every=20steps"}).config,
      images(67));
  EXPECT_NEAR(static_cast<double>(plan.ledger_bytes.value()), 210'707,
              15'000);  // bytes of that run on 2 ranks
}

TEST(Plan, TimeAndCommitsFollowFromTheThroughput) {
  auto input = images(5232);
  input.views_per_second = 512;
  const auto plan =
      make_plan(config({"train.steps=900", "checkpoint.every=120s", "checkpoint.keep=3"}).config, input);
  EXPECT_DOUBLE_EQ(plan.seconds.value(), 900);
  EXPECT_EQ(plan.commits.value(), 8);
  EXPECT_EQ(plan.disk_bytes, 4 * plan.checkpoint_bytes);
  input.views_per_second = 0;
  EXPECT_FALSE(make_plan(config({"train.steps=900"}).config, input).commits.has_value());
  EXPECT_FALSE(make_plan(config({"train.steps=900"}).config, input).ledger_bytes.has_value());
  EXPECT_EQ(make_plan(config({"train.steps=900", "checkpoint.every=400steps"}).config, input).commits.value(),
            3);
  EXPECT_EQ(make_plan(config({"train.steps=800", "checkpoint.every=400steps"}).config, input).commits.value(),
            2);
}

TEST(Plan, WarnsOfWhatDisagrees) {
  const auto warned = [](const std::vector<std::string>& overrides, const PlanInput& input) {
    auto all = overrides;
    all.push_back("train.epochs=44");
    return make_plan(config(all).config, input).warnings;
  };
  EXPECT_THAT(warned({"views.preset=simclr"}, images(5232)),
              Contains(HasSubstr("do nothing on one channel")));
  EXPECT_THAT(warned({"views.crop_pixels=96"}, images(5232)),
              Contains(HasSubstr("larger than the images (64 x 64)")));
  EXPECT_THAT(warned({}, images(255)), Contains(HasSubstr("fewer images (255) than the global batch (256)")));
  EXPECT_THAT(warned({}, images(767)), Contains(HasSubstr("fewer than three global batches")));
  EXPECT_THAT(warned({}, images(5232, {64, 64, 1, sharding::ElementType::kU16})),
              Contains(HasSubstr("16-bit images without a window")));
  EXPECT_THAT(warned({"data.window_high=255"}, images(5232, {64, 64, 1, sharding::ElementType::kU16})),
              Contains(HasSubstr("8-bit window")));
  EXPECT_THAT(warned({"views.min_area=0.08"}, images(5232)), Contains(HasSubstr("crops from 8 %")));
  EXPECT_THAT(warned({"schedule.scaling=sqrt"}, images(5232)), Contains(HasSubstr("large for adamw")));
  EXPECT_THAT(warned({"schedule.warmup_steps=900"}, images(5232)),
              Contains(HasSubstr("takes the whole run")));
}

TEST(Plan, SlabsAreToldWhereThereAreAny) {
  const auto resolved = config({"train.steps=10"});
  auto input = images(5232);
  EXPECT_THAT(plan_text(make_plan(resolved.config, input), resolved), ::testing::Not(HasSubstr("slab")));
  input.slabs = {.slabs = 164, .rows = 32, .bytes = 131072, .open = 64};
  input.order_warnings = {"what is bad about it"};
  const Plan plan = make_plan(resolved.config, input);
  EXPECT_THAT(plan.warnings, Contains("what is bad about it"));
  const std::string text = plan_text(plan, resolved);
  EXPECT_THAT(text, HasSubstr("windows"));
  EXPECT_THAT(text, HasSubstr("64 slabs are mixed at a time"));
  EXPECT_THAT(text, HasSubstr("slab memory         8.0 MiB"));
  const auto order = nlohmann::json::parse(plan_json(plan, resolved))["order"];
  EXPECT_EQ(order["windows"], true);
  EXPECT_EQ(order["open_bytes"], 64 * 131072);
  input.slabs.open = 0;
  EXPECT_THAT(plan_text(make_plan(resolved.config, input), resolved), HasSubstr("one permutation"));
}

TEST(Plan, ARunWithoutLengthIsRefused) {
  EXPECT_THROW(make_plan(config({}).config, images(5232)), ConfigError);
}

TEST(Plan, TenMillionImagesTakeNoTime) {
  const auto began = std::chrono::steady_clock::now();
  const auto c = config({"train.epochs=100", "batch.lanes=4096"});
  const auto plan = make_plan(c.config, images(10'000'000));
  EXPECT_EQ(plan.ranks.size(), 4096U);
  EXPECT_THAT(plan_text(plan, c), HasSubstr("10,000,000"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
}

TEST(Plan, ASimulationWithoutAFaultPromisesNothing) {
  PlanInput input = images(5232);
  input.views_per_second = 1000;
  const auto c = config({"train.epochs=44", "slurm.nodes=2", "slurm.ranks_per_node=2"}).config;
  const Plan plan = make_plan(c, input);
  SimulationRequest request;
  request.runs = 3;
  request.faults.node_hours = 1e9;
  std::string text = simulation_text(simulate_plan(plan, c, request));
  EXPECT_THAT(text, HasSubstr("failures            0 per run"));
  EXPECT_THAT(text, HasSubstr("a fault is noticed  not known: no fault"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("at most")));
  request.faults.node_hours = 0.5;
  const Simulation faulty = simulate_plan(plan, c, request);
  text = simulation_text(faulty);
  EXPECT_THAT(text, HasSubstr("a fault is noticed  after at most "));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("at most 0s")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("not known")));
  const auto json = simulation_json(faulty);
  EXPECT_EQ(json.at("runs"), 3);
  EXPECT_EQ(json.at("failures_per_run"), faulty.failures);
  EXPECT_GT(json.at("longest_detection_seconds"), 0);
}

TEST(Plan, ASimulationOfMoreRanksThanLanesIsRefusedInTheWordsOfSubmit) {
  const auto c = config({"train.steps=900", "batch.lanes=4", "slurm.nodes=8", "slurm.ranks_per_node=1"});
  auto input = images(5232);
  input.views_per_second = 100;
  try {
    simulate_plan(make_plan(c.config, input), c.config, {});
    FAIL() << "8 ranks have been simulated on 4 lanes";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(),
                HasSubstr("slurm.nodes x slurm.ranks_per_node are 8 ranks, but a batch has 4 lanes"));
  }
}

TEST(Plan, TextAndJsonSayTheSame) {
  const auto c = config({"train.steps=900"});
  const auto plan = make_plan(c.config, images(5232));
  const auto json = nlohmann::json::parse(plan_json(plan, c));
  EXPECT_EQ(json.at("steps"), 900);
  EXPECT_EQ(json.at("negatives_per_anchor"), 510);
  EXPECT_EQ(json.at("per_rank").size(), 8U);
  EXPECT_EQ(json.at("per_rank")[2].at("lanes"), nlohmann::json({2, 3}));
  EXPECT_TRUE(json.at("seconds").is_null());
  const auto text = plan_text(plan, c);
  EXPECT_THAT(text, HasSubstr("  steps               900               44.0 epochs of 20.4 steps\n"));
  EXPECT_THAT(text, HasSubstr("  negatives           510               per anchor, from all ranks\n"));
  EXPECT_THAT(text, HasSubstr("2-3"));
}

}  // namespace
}  // namespace entrain::coordinator
