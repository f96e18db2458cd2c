// Which GPUs a preflight blames. Pure.
#include "coordinator/supervise/gpu_verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/health/slowdown.hpp"

namespace entrain::supervise {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Nodes n1, n2, ... with two healthy GPUs each.
std::vector<NodeProbe> healthy(int count) {
  std::vector<NodeProbe> nodes(static_cast<std::size_t>(count));
  int rank = 0;
  for (auto& node : nodes) {
    node.host = "n" + std::to_string(1 + rank / 2);
    for (int i = 0; i < 2; ++i, ++rank)
      node.gpus.push_back({rank, "H100", "GPU-" + std::to_string(rank), "", "aaaaaaaaaaaaaaaa"});
  }
  return nodes;
}

std::vector<std::string> bad_of(const std::vector<NodeProbe>& nodes) {
  std::vector<std::string> out;
  for (const auto& bad : judge(nodes).bad) out.push_back(bad.host);
  return out;
}

TEST(GpuVerdict, OfHealthyGpusAndOfNodesWithoutAnyItSaysNothing) {
  for (const auto& nodes : {healthy(4), std::vector<NodeProbe>(3), std::vector<NodeProbe>{}}) {
    const auto verdict = judge_gpus(nodes);
    EXPECT_THAT(verdict.bad, IsEmpty());
    EXPECT_THAT(verdict.warnings, IsEmpty());
  }
  EXPECT_THAT(summary(healthy(2), {}), HasSubstr(", 4 GPUs compute the same"));
  EXPECT_EQ(gpu_summary(std::vector<NodeProbe>(3), {}), "");
}

TEST(GpuVerdict, WhoComputesSomethingElseThanMostIsBad) {
  auto nodes = healthy(2);
  nodes[1].gpus[0].digest = "bbbbbbbbbbbbbbbb";
  const auto verdict = judge(nodes);
  ASSERT_THAT(verdict.bad, SizeIs(1));
  EXPECT_EQ(verdict.bad[0].host, "n2");
  EXPECT_EQ(verdict.bad[0].why,
            "GPU of rank 2 (GPU-2): computes another product than most GPUs of its model (bbbbbbbbbbbb, they "
            "aaaaaaaaaaaa)");
  EXPECT_THAT(verdict.warnings, IsEmpty());
  EXPECT_THAT(summary(nodes, verdict), HasSubstr(", 2 GPUs compute the same")) << "of those that stay";
}

TEST(GpuVerdict, WithoutAMajorityNobodyIsBlamedAndThatIsSaid) {
  auto nodes = healthy(2);
  nodes[1].gpus[0].digest = nodes[1].gpus[1].digest = "bbbb";
  const auto verdict = judge(nodes);
  EXPECT_THAT(verdict.bad, IsEmpty());
  EXPECT_THAT(verdict.warnings, ElementsAre(HasSubstr("(H100) compute 2 different results of one product")));
  EXPECT_THAT(summary(nodes, verdict), HasSubstr(", 4 GPUs compute 2 different products"));
  nodes[1].gpus[1].digest = "cccc";
  EXPECT_THAT(bad_of(nodes), IsEmpty()) << "two of four are no majority";
}

TEST(GpuVerdict, AnotherModelMayComputeOtherwise) {
  auto nodes = healthy(4);
  for (auto& gpu : nodes[3].gpus) gpu.name = "A100", gpu.digest = "bbbb";
  const auto verdict = judge_gpus(nodes);
  EXPECT_THAT(verdict.bad, IsEmpty());
  EXPECT_THAT(verdict.warnings, IsEmpty());
  nodes[3].gpus[0].name = "H100";
  EXPECT_THAT(bad_of(nodes), ElementsAre("n4"));
}

TEST(GpuVerdict, ErrorsOfMemoryXidsAndBrokenClocksAreBadWithTheirReason) {
  auto nodes = healthy(5);
  nodes[0].gpus[1].uncorrected = 2;
  nodes[1].gpus[0].xids = {79, 48};
  nodes[2].gpus[1].slowdown = health::kThermalSlowdown | health::kHardwareSlowdown;
  nodes[3].gpus[0].slowdown = health::kPowerBrake;
  const auto verdict = judge(nodes);
  ASSERT_THAT(verdict.bad, SizeIs(4));
  EXPECT_THAT(verdict.bad[0].why,
              HasSubstr("GPU of rank 1 (GPU-1): 2 memory errors that ECC could not correct"));
  EXPECT_THAT(verdict.bad[1].why,
              HasSubstr("GPU of rank 2 (GPU-2): critical error while it computed, Xid 79, 48;"));
  EXPECT_EQ(verdict.bad[2].why, "GPU of rank 5 (GPU-5): its clocks are low: too hot, the hardware cut them");
  EXPECT_EQ(verdict.bad[3].why, "GPU of rank 6 (GPU-6): its clocks are low: the power supply asked for less");
  EXPECT_THAT(verdict.warnings, IsEmpty());
}

TEST(GpuVerdict, HeatIsWarnedOfAndHowAGpuIsRunIsNothing) {
  auto nodes = healthy(3);
  nodes[1].gpus[1].slowdown = health::kSoftwareThermalSlowdown;
  nodes[2].gpus[0].slowdown = 0x1 | 0x2 | 0x4 | 0x10 | 0x100;
  const auto verdict = judge(nodes);
  EXPECT_THAT(verdict.bad, IsEmpty());
  EXPECT_THAT(verdict.warnings,
              ElementsAre(HasSubstr("the GPU of rank 3 on n2 is slow: too hot, the driver keeps")));
}

TEST(GpuVerdict, WhoHasNoGpuIsBadUnlessNobodyHas) {
  auto nodes = healthy(3);
  nodes[1].gpus[0].error = "no NVIDIA driver is loaded here";
  const auto one = judge(nodes);
  ASSERT_THAT(one.bad, SizeIs(1));
  EXPECT_EQ(one.bad[0].why, "GPU of rank 2 (GPU-2): no NVIDIA driver is loaded here");
  for (auto& node : nodes)
    for (auto& gpu : node.gpus) gpu.error = "no NVIDIA driver is loaded here";
  const auto all = judge(nodes);
  EXPECT_THAT(all.bad, IsEmpty());
  EXPECT_THAT(all.warnings, ElementsAre("no node has a GPU that computes: no NVIDIA driver is loaded here"));
}

TEST(GpuVerdict, ANodeIsBlamedOnceWhateverIsWrongWithIt) {
  auto nodes = healthy(3);
  nodes[2].write_error = "Stale file handle";
  nodes[2].gpus[0].uncorrected = nodes[2].gpus[1].uncorrected = 7;
  EXPECT_THAT(bad_of(nodes), ElementsAre("n3"));
}

TEST(GpuProbe, ComesBackFromTheJsonOfItsNode) {
  auto nodes = healthy(1);
  nodes[0].gpus[1] = {1, "H100", "GPU-x", "why", "aa", 0x48, 3, {79, 31}};
  const auto back = node_probe_of(json_of(nodes[0]));
  ASSERT_THAT(back.gpus, SizeIs(2));
  const auto& gpu = back.gpus[1];
  EXPECT_EQ(gpu.rank, 1);
  EXPECT_EQ(gpu.name + gpu.uuid + gpu.error + gpu.digest, "H100GPU-xwhyaa");
  EXPECT_EQ(gpu.slowdown, 0x48U);
  EXPECT_EQ(gpu.uncorrected, 3U);
  EXPECT_THAT(gpu.xids, ElementsAre(79U, 31U));
  EXPECT_FALSE(json_of(NodeProbe{}).contains("gpus")) << "of CPUs there is nothing to say";
  for (const char* text : {"5", R"([5, null, {"rank": "x", "xids": 7, "slowdown": -1}])"})
    for (const auto& odd : node_probe_of({{"gpus", nlohmann::json::parse(text)}}).gpus) {
      EXPECT_EQ(odd.rank, 0) << text;
      EXPECT_THAT(odd.xids, IsEmpty()) << text;
    }
}

}  // namespace
}  // namespace entrain::supervise
