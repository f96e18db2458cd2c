// Real ranks of a preflight on the stand-in's GPUs, some of them sick.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "coordinator/supervise/gpu_verdict.hpp"
#include "coordinator/supervise/node_verdict.hpp"
#include "tests/coordinator/health/standin_gpus.hpp"
#include "tests/support/command.hpp"

namespace entrain::supervise {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Rank 0 on the node n1 has GPU 0, rank 1 on n2 GPU 1, ...; each has an environment on top.
class PreflightGpus : public tests::StandinGpus {
 protected:
  void start(const std::vector<std::string>& environments,
             const std::string& program = "entrain-worker-standin", const std::string& device = "cuda") {
    std::string line = "mpirun --oversubscribe";
    for (std::size_t i = 0; i < environments.size(); ++i)
      line += cat(i == 0 ? "" : " :", " -n 1 env LD_LIBRARY_PATH=", NVML_STANDIN_FOLDER, ":$LD_LIBRARY_PATH",
                  " OMP_NUM_THREADS=1 SLURMD_NODENAME=n", i + 1, ' ', environments[i], ' ', program,
                  " preflight ", dir_.path(), ' ', device);
    const auto ran = tests::run(line);
    ASSERT_EQ(ran.code, 0) << ran.output;
    output_ = ran.output;
    const auto answer = checkpoint::last_object(ran.output);
    ASSERT_TRUE(answer.is_object()) << ran.output;
    for (const auto& node : answer["nodes"]) nodes_.push_back(node_probe_of(node));
    ASSERT_EQ(nodes_.size(), environments.size()) << ran.output;
  }

  tests::TemporaryFolder dir_;
  std::string output_;
  std::vector<NodeProbe> nodes_;
};

TEST_F(PreflightGpus, HealthyOnesAllComputeTheSame) {
  start({"", "", ""});
  for (int rank = 0; rank < 3; ++rank) {
    ASSERT_THAT(nodes_[rank].gpus, SizeIs(1)) << output_;
    const auto& gpu = nodes_[rank].gpus[0];
    EXPECT_EQ(gpu.rank, rank);
    EXPECT_EQ(gpu.uuid, cat("GPU-e7000000-0000-0000-0000-00000000000", rank));
    EXPECT_EQ(gpu.error, "");
    EXPECT_THAT(gpu.digest, SizeIs(64));
    EXPECT_EQ(gpu.digest, nodes_[0].gpus[0].digest);
    EXPECT_EQ(gpu.slowdown, 0U);
    EXPECT_THAT(gpu.xids, IsEmpty());
  }
  const auto verdict = judge_gpus(nodes_);
  EXPECT_THAT(verdict.bad, IsEmpty()) << verdict.bad[0].why;
  EXPECT_THAT(verdict.warnings, IsEmpty());
  EXPECT_THAT(summary(nodes_, verdict), HasSubstr(", 3 GPUs compute the same"));
}

// MKL_CBWR: another kernel for the product, with another order of its sums.
TEST_F(PreflightGpus, TheOneThatComputesOtherwiseIsFoundOut) {
  start({"", "", "MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default"});
  const auto verdict = judge_gpus(nodes_);
  ASSERT_THAT(verdict.bad, SizeIs(1)) << output_;
  EXPECT_EQ(verdict.bad[0].host, "n3");
  EXPECT_THAT(verdict.bad[0].why, HasSubstr("computes another product than most GPUs of its model"));
}

TEST_F(PreflightGpus, WhatNvmlTellsIsKnownOfTheRightOne) {
  std::atomic<bool> end{false};
  std::thread xids([&] {  // new ones all the time, so that some come while ranks compute
    for (int xid = 1; !end; ++xid) {
      tell(cat("uncorrected@0=3\nslowdown@1=72\nxid@2=", xid, '\n'));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  start({"", "", "", "ENTRAIN_STANDIN_GPUS=0"});
  end = true;
  xids.join();
  const auto verdict = judge_gpus(nodes_);
  ASSERT_THAT(verdict.bad, SizeIs(4)) << output_;
  EXPECT_THAT(verdict.bad[0].why, HasSubstr("3 memory errors that ECC could not correct"));
  EXPECT_THAT(verdict.bad[1].why, HasSubstr("its clocks are low: too hot, the hardware cut them"));
  EXPECT_THAT(verdict.bad[2].why, HasSubstr("critical error while it computed, Xid "));
  EXPECT_THAT(verdict.bad[3].why, HasSubstr("GPU of rank 3: no GPU is visible to this process"));
}

TEST_F(PreflightGpus, OneThatHangsIsAnErrorInTime) {
  tell("nvmlDeviceGetCurrentClocksThrottleReasons@1=-1\n");
  start({"", "", ""});
  const auto verdict = judge_gpus(nodes_);
  ASSERT_THAT(verdict.bad, SizeIs(1)) << output_;
  EXPECT_EQ(verdict.bad[0].host, "n2");
  EXPECT_THAT(verdict.bad[0].why, HasSubstr("is not done within"));
}

TEST_F(PreflightGpus, WhereRanksComputeOnCpusNothingIsSaid) {
  start({"", ""}, "entrain-worker");
  for (const auto& node : nodes_) EXPECT_THAT(node.gpus, IsEmpty()) << "of a build without CUDA";
  nodes_.clear();
  start({"", ""}, "entrain-worker-standin", "cpu");
  for (const auto& node : nodes_) EXPECT_THAT(node.gpus, IsEmpty());
  nodes_.clear();
  start({"ENTRAIN_STANDIN_GPUS=0", "ENTRAIN_STANDIN_GPUS=0"}, "entrain-worker-standin", "auto");
  for (const auto& node : nodes_) EXPECT_THAT(node.gpus, IsEmpty());
}

}  // namespace
}  // namespace entrain::supervise
