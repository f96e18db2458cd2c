#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/reader.hpp"

namespace entrain {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> between(const std::vector<std::string>& then, const std::vector<std::string>& now) {
  return differing_keys(read_run_config("", then).values, read_run_config("", now).values);
}

TEST(DifferingKeys, WhatChangesTheBitsIsNamed) {
  for (const std::string change :
       {"run.seed=1", "run.numerics=fast", "run.precision=bf16", "data.image=/x", "data.axes=NHW",
        "data.order=full", "data.window_high=4095", "views.hue=0.1", "model.head_dim=64",
        "method.temperature=0.5", "batch.lanes=16", "batch.lane_images=4", "optim.lr=1", "optim.exclude=none",
        "schedule.scaling=none", "schedule.warmup_steps=3", "train.steps=9"})
    EXPECT_THAT(between({}, {change}), ElementsAre(change.substr(0, change.find('=')))) << change;
}

TEST(DifferingKeys, WhatDoesNotIsLeftAlone) {
  EXPECT_THAT(
      between({}, {"run.dir=x", "run.threads=3", "run.device=cpu", "data.files=a.h5", "data.prefetch=9",
                   "checkpoint.every=9s", "checkpoint.keep=9", "checkpoint.resume=never",
                   "finetune.mode=linear", "evaluate.name=x", "init.from=y"}),
      IsEmpty());
}

TEST(DifferingKeys, AKeyThatOneSideLacksDiffers) {
  auto old = read_run_config("", {}).values;
  const auto now = old;
  ASSERT_EQ(old.erase("views.gamma"), 1U);
  EXPECT_THAT(differing_keys(old, now), ElementsAre("views.gamma"));
  EXPECT_EQ(describe_differences(old, now), "views.gamma was absent and is 0");
}

TEST(DifferingKeys, ARunFromBeforeAKeyCameDidWhatItsDefaultDoes) {
  auto old = read_run_config("", {}).values;
  const auto now = old, bf16 = read_run_config("", {"run.precision=bf16"}).values;
  ASSERT_EQ(old.erase("run.precision"), 1U);
  EXPECT_THAT(differing_keys(old, now), IsEmpty());
  EXPECT_EQ(describe_differences(old, bf16), "run.precision was fp32 and is bf16");
}

TEST(DifferingKeys, ARunOfConstantRateMayBeMadeLonger) {
  EXPECT_THAT(
      between({"schedule.name=constant", "train.steps=8"}, {"schedule.name=constant", "train.steps=20"}),
      IsEmpty());
  EXPECT_THAT(between({"train.steps=8"}, {"train.steps=20"}), ElementsAre("train.steps"));
}

TEST(DifferingKeys, BothValuesAreSaid) {
  const auto then = read_run_config("", {"views.min_area=0.3"}).values,
             now = read_run_config("", {"optim.lr=1"}).values;
  EXPECT_EQ(describe_differences(then, now), "optim.lr was 0.3 and is 1; views.min_area was 0.3 and is 0.08");
}

}  // namespace
}  // namespace entrain
