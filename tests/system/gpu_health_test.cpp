// How GPUs are doing, from the driver's library through a rank's heartbeat to what is told of the run; the GPUs are stand-ins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class GpuHealth : public testing::Test {
 protected:
  GpuHealth() {
    // `entrain` starts the worker that lies beside it: here the one with the stand-ins.
    fs::create_directories(bin_);
    fs::copy_file(ENTRAIN_BIN_DIR "/entrain", bin_ + "/entrain");
    fs::copy_file(ENTRAIN_BIN_DIR "/entrain-worker-standin", bin_ + "/entrain-worker");
  }
  // Long enough for some heartbeats.
  Ran train(const std::string& name, const std::string& device) {
    return run(
        cat("PATH=", bin_, ":$PATH LD_LIBRARY_PATH=" NVML_STANDIN_FOLDER ":$LD_LIBRARY_PATH ",
            small_.supervised(2, name, cat("train.steps=100 checkpoint.every=50steps run.device=", device))),
        200);
  }
  std::string told(const std::string& name, const std::string& file) {
    return read_file(small_.dir(name) + file);
  }

  SmallRun small_;
  const std::string bin_ = small_.folder() + "/bin";
};

TEST_F(GpuHealth, OfARunOnGpusItIsToldWhatTheyUsed) {
  const Ran ran = train("gpu", "cuda");
  ASSERT_EQ(ran.code, 0) << ran.output;
  const auto status = nlohmann::json::parse(told("gpu", "/status.json"));
  ASSERT_TRUE(status.contains("gpus")) << status;
  EXPECT_EQ(status["gpus"]["count"], 2);
  for (const auto& rank : status["ranks"])
    EXPECT_GT(rank["gpu"]["energy_joules"], 100) << "250 W for seconds";
  EXPECT_THAT(told("gpu", "/metrics.prom"),
              AllOf(HasSubstr("entrain_energy_joules_total{run_id=\"gpu\",stage=\"pretrain\",rank=\"1\"} "),
                    Not(HasSubstr("entrain_gpu_power_watts"))))
      << "it has ended";
  EXPECT_THAT(run("entrain status " + small_.dir("gpu")).output, HasSubstr("2 GPUs   "));
}

TEST_F(GpuHealth, OfARunOnCpusNothing) {
  const Ran ran = train("cpu", "cpu");
  ASSERT_EQ(ran.code, 0) << ran.output;
  EXPECT_THAT(told("cpu", "/status.json"), Not(HasSubstr("gpu\"")));
  EXPECT_THAT(told("cpu", "/metrics.prom"), AllOf(HasSubstr("entrain_rank_step"), Not(HasSubstr("joules"))));
}

}  // namespace
}  // namespace entrain::tests
