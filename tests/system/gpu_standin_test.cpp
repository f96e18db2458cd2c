// The stages on a GPU that is none: the worker with the production CUDA and NCCL files over the stand-ins (tests/standin), which
// end it with 86 where it uses them wrongly. What no stand-in can show, GPU kernels and their numbers, is not tested here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class GpuStandin : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    small_ = new SmallRun;
    // `entrain` starts the worker that lies beside it: here the one with the stand-ins.
    bin_ = small_->folder() + "/bin";
    fs::create_directories(bin_);
    fs::copy_file(ENTRAIN_BIN_DIR "/entrain", bin_ + "/entrain");
    fs::copy_file(ENTRAIN_BIN_DIR "/entrain-worker-standin", bin_ + "/entrain-worker");
    for (const std::string precision : {"fp32", "bf16"})
      must_run(small_->pretrain(1, "cpu-" + precision, cat("run.device=cpu run.precision=", precision)));
  }
  static void TearDownTestSuite() { delete small_; }

  static Ran must_run(const std::string& command, const std::string& environment = "") {
    const Ran ran = run(cat(environment, ' ', command), 200);
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_THAT(ran.output, Not(HasSubstr("misuse")));
    return ran;
  }
  // With every access to memory in flight caught.
  static std::string on_gpu(const std::string& environment = "ENTRAIN_STANDIN_GUARD=1") {
    return cat("PATH=", bin_, ":$PATH ", environment);
  }

  static SmallRun* small_;
  static std::string bin_;
};
SmallRun* GpuStandin::small_ = nullptr;
std::string GpuStandin::bin_;

class Ranks : public GpuStandin, public testing::WithParamInterface<int> {};

TEST_P(Ranks, TwentyStepsGiveTheWeightsOfTheCpu) {
  for (const std::string precision : {"fp32", "bf16"}) {
    const std::string name = cat("gpu-", precision, GetParam());
    must_run(small_->pretrain(GetParam(), name, cat("run.device=cuda run.precision=", precision)), on_gpu());
    EXPECT_EQ(small_->digest(name), small_->digest("cpu-" + precision));
  }
  EXPECT_NE(small_->digest("cpu-fp32"), small_->digest("cpu-bf16"));
}
INSTANTIATE_TEST_SUITE_P(World, Ranks, testing::Values(1, 2, 3, 4));

TEST_F(GpuStandin, FastNumericsAddByNccl) {
  const std::string fast = "run.numerics=fast run.device=";
  must_run(small_->pretrain(2, "fast-cpu", fast + "cpu"));
  must_run(small_->pretrain(2, "fast-gpu", fast + "cuda"), on_gpu());
  EXPECT_EQ(small_->digest("fast-gpu"), small_->digest("fast-cpu"));  // two numbers have one sum
}

TEST_F(GpuStandin, ARunThatBeganOnACpuGoesOnAndSaysWhatChanged) {
  must_run(small_->pretrain(2, "moved",
                            "run.device=cpu train.steps=10 schedule.name=constant schedule.warmup_steps=0"));
  const Ran ran = must_run(
      small_->pretrain(2, "moved",
                       "run.device=cuda train.steps=20 schedule.name=constant schedule.warmup_steps=0"),
      on_gpu());
  EXPECT_THAT(ran.output, HasSubstr("the same bits are not promised from one to the other"));
  EXPECT_THAT(ran.output, HasSubstr("resume proven"));
  EXPECT_EQ(run("entrain audit " + small_->dir("moved")).code, 0);
}

TEST_F(GpuStandin, FineTuningAndEvaluationGiveTheScoresOfTheCpu) {
  const auto auc = [&](const std::string& device, const std::string& environment) {
    const std::string settings =
        cat(" data.files=", small_->corpus(), " views.crop_pixels=32 run.device=", device);
    const std::string tuned = small_->dir("tuned-" + device), tested = small_->dir("tested-" + device);
    const std::string configs = ENTRAIN_SOURCE_DIR "/configs/";
    must_run(cat("mpirun -n 2 entrain finetune ", configs, "finetune_demo.yaml run.dir=", tuned,
                 " init.from=", small_->dir("cpu-fp32"), " finetune.mode=full train.epochs=2", settings),
             environment);
    must_run(cat("mpirun -n 2 entrain evaluate ", configs, "evaluate_demo.yaml run.dir=", tested,
                 " init.from=", tuned, settings),
             environment);
    std::ifstream in(tested + "/metrics.json");
    return nlohmann::json::parse(in).dump();
  };
  const std::string cpu = auc("cpu", ""), gpu = auc("cuda", on_gpu());
  EXPECT_THAT(cpu, HasSubstr("auc"));
  const auto scores = [](std::string text) { return text.substr(text.find("\"auc")).substr(0, 60); };
  EXPECT_EQ(scores(gpu), scores(cpu));
}

// Each generation meets the same fault again, later in the run each time, and the supervisor starts the next one.
TEST_F(GpuStandin, AFaultOfNcclEndsTheGenerationAndTheNextGoesOn) {
  for (const std::string fault : {"crash@1:150", "async@1:150", "hang@0:150"}) {
    const std::string name = "fault-" + fault.substr(0, fault.find('@'));
    const Ran ran = run(cat(on_gpu("ENTRAIN_STANDIN_FAULT=" + fault), ' ',
                            small_->supervised(2, name, "run.device=cuda fault.step=8s")),
                        200);
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(small_->digest(name), small_->digest("cpu-fp32"));
    const Ran events = run("cat " + small_->dir(name) + "/events.jsonl");
    EXPECT_THAT(events.output, HasSubstr("generation 2")) << fault << " did nothing";
  }
}

TEST_F(GpuStandin, WhatCannotBeHadIsSaidWithTheWayOut) {
  const auto told = [&](const std::string& environment, int ranks) {
    const Ran ran = run(cat(environment, ' ', small_->pretrain(ranks, "none", "run.device=cuda")));
    EXPECT_EQ(ran.code, 78) << ran.output;
    EXPECT_FALSE(fs::exists(small_->dir("none")));
    return ran.output;
  };
  EXPECT_THAT(told("", 1), HasSubstr("was built for CPUs only"));
  EXPECT_THAT(told(on_gpu("ENTRAIN_STANDIN_GPUS=0"), 1), HasSubstr("run.device=cpu"));
  EXPECT_THAT(told(on_gpu("ENTRAIN_STANDIN_GPUS=2"), 3), HasSubstr("2 GPUs for 3 ranks"));
}

}  // namespace
}  // namespace entrain::tests
