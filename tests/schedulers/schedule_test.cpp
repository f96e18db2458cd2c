#include "schedulers/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"

namespace entrain::schedulers {
namespace {

nlohmann::json golden() {
  std::ifstream in(ENTRAIN_SOURCE_DIR "/tests/reference/schedulers/schedule.json");
  return nlohmann::json::parse(in);
}

ScheduleSection section(const std::string& name, const std::string& scaling = "none",
                        std::int64_t warmup_steps = -1) {
  ScheduleSection s;
  s.name = name, s.scaling = scaling, s.warmup_steps = warmup_steps;
  return s;
}

TEST(Schedule, SimclrHasTheIntegersAndValuesOfTheReleasedCode) {
  int compared = 0;
  const auto all = golden();
  for (const auto& c : all.at("simclr")) {
    SCOPED_TRACE(c.dump());
    ScheduleSection s = section("simclr", c.at("scaling"));
    s.warmup_epochs = c.at("warmup_epochs");
    TrainSection train;
    train.epochs = c.at("epochs");
    const std::int64_t samples = c.at("samples"), batch = c.at("batch"),
                       total = total_steps(train, s, samples, batch);
    EXPECT_EQ(total, c.at("total").get<std::int64_t>());
    const Schedule schedule(s, c.at("lr"), batch, samples, total);
    EXPECT_EQ(schedule.warmup_steps(), c.at("warm").get<std::int64_t>());
    for (const auto& value : c.at("values")) {
      EXPECT_NEAR(schedule.value(value[0]), value[1].get<double>(), 1e-12 * schedule.peak())
          << "step " << value[0];
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

// Numbers worked out by hand from google-research/simclr model_util.py.
TEST(Schedule, SimclrAtFiftyThousandImages) {
  TrainSection train;
  train.epochs = 100;
  const auto s = section("simclr", "linear");
  ASSERT_EQ(total_steps(train, s, 50'000, 512), 9766);
  const Schedule schedule(s, 0.3, 512, 50'000, 9766);
  EXPECT_EQ(schedule.warmup_steps(), 976);
  EXPECT_EQ(schedule.value(0), 0);
  EXPECT_NEAR(schedule.value(1), 6.147541e-4, 1e-10);
  EXPECT_DOUBLE_EQ(schedule.value(976), 0.6);
  EXPECT_NEAR(schedule.value(5371), 0.3, 1e-12);
  EXPECT_NEAR(schedule.value(9765), 1.916e-8, 1e-11);
  EXPECT_NEAR(schedule.value(9766), 0, 1e-18) << "clipped at the end";
  EXPECT_NEAR(schedule.value(20'000), 0, 1e-18);
}

TEST(Schedule, CosineWastesNoStep) {
  const Schedule schedule(section("cosine", "none", 4), 1.0, 256, 1000, 14);
  EXPECT_DOUBLE_EQ(schedule.value(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.value(3), 1.0);
  EXPECT_DOUBLE_EQ(schedule.value(4), 1.0);
  EXPECT_DOUBLE_EQ(schedule.value(9), 0.5);
  EXPECT_GT(schedule.value(13), 0) << "nor the last";
  for (int step = 5; step < 14; ++step) EXPECT_LT(schedule.value(step), schedule.value(step - 1));
}

TEST(Schedule, WarmupStepsOverrideWarmupEpochs) {
  EXPECT_EQ(Schedule(section("cosine"), 1, 100, 1000, 1000).warmup_steps(), 100);
  EXPECT_EQ(Schedule(section("cosine", "none", 0), 1, 100, 1000, 1000).warmup_steps(), 0);
  EXPECT_DOUBLE_EQ(Schedule(section("cosine", "none", 0), 1, 100, 1000, 1000).value(0), 1);
}

TEST(Schedule, ConstantStaysAndDoesNotKnowItsEnd) {
  const Schedule one(section("constant", "none", 2), 0.5, 256, 100, 10),
      two(section("constant", "none", 2), 0.5, 256, 100, 99);
  for (int step = 0; step < 10; ++step) EXPECT_EQ(one.value(step), two.value(step));
  EXPECT_DOUBLE_EQ(one.value(0), 0.25);
  EXPECT_DOUBLE_EQ(one.value(9), 0.5);
}

TEST(Schedule, BitHyperHasTheValuesOfTheReleasedCode) {
  int compared = 0;
  const auto all = golden();
  for (const auto& c : all.at("bit_hyper")) {
    SCOPED_TRACE(c.at("samples"));
    const std::int64_t samples = c.at("samples"), total = total_steps({}, section("bit_hyper"), samples, 512);
    EXPECT_EQ(total, c.at("total").get<std::int64_t>());
    const Schedule schedule(section("bit_hyper"), 0.003, 512, samples, total);
    for (const auto& value : c.at("values")) {
      EXPECT_NEAR(schedule.value(value[0]), value[1].get<double>(), 1e-15) << "step " << value[0];
      ++compared;
    }
  }
  EXPECT_GT(compared, 50);
}

TEST(Schedule, BitHyperStretchesToAnotherLength) {
  TrainSection train;
  train.steps = 50;
  ASSERT_EQ(total_steps(train, section("bit_hyper"), 5000, 512), 50);
  const Schedule schedule(section("bit_hyper"), 0.003, 512, 5000, 50);
  EXPECT_DOUBLE_EQ(schedule.value(10), 0.003);
  EXPECT_DOUBLE_EQ(schedule.value(21), 0.0003);
  EXPECT_DOUBLE_EQ(schedule.value(49), 0.000003);
}

TEST(Schedule, ScalingsAgreeWhereTheyShould) {
  EXPECT_DOUBLE_EQ(Schedule(section("constant", "linear", 0), 0.3, 4096, 1, 1).value(0), 4.8);
  EXPECT_DOUBLE_EQ(Schedule(section("constant", "sqrt", 0), 0.075, 4096, 1, 1).value(0), 4.8);
  EXPECT_DOUBLE_EQ(Schedule(section("constant", "none", 0), 0.3, 4096, 1, 1).value(0), 0.3);
}

TEST(TotalSteps, EpochsAreRoundedUpToWholeSteps) {
  TrainSection train;
  train.epochs = 10;
  EXPECT_EQ(total_steps(train, 512, 32), 160);
  EXPECT_EQ(total_steps(train, 513, 32), 161);
  EXPECT_EQ(total_steps(train, section("simclr"), 512, 32), 161) << "the paper code's + 1";
  train.epochs = 0.5;
  EXPECT_EQ(total_steps(train, 512, 32), 8);
  train = {};
  EXPECT_EQ(total_steps(train, 512, 32), 0);
  train.steps = 7;
  EXPECT_EQ(total_steps(train, 512, 32), 7);
}

TEST(Schedule, ARunWithoutLengthIsRefused) {
  EXPECT_THROW(Schedule(section("cosine"), 1, 256, 100, 0), ConfigError);
}

}  // namespace
}  // namespace entrain::schedulers
