// Real ranks of `entrain-worker preflight` that stand for nodes of this machine, some of them sick.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint/json_member.hpp"
#include "configs/cat.hpp"
#include "coordinator/supervise/node_verdict.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::supervise {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::Ran;

// One rank of the node n1, n2, ..., each with an environment on top.
class PreflightRanks : public ::testing::Test {
 protected:
  void start(const std::vector<std::string>& environments) {
    std::string line = "mpirun --oversubscribe";
    for (std::size_t i = 0; i < environments.size(); ++i)
      line += cat(i == 0 ? "" : " :", " -n 1 env SLURMD_NODENAME=n", i + 1, ' ', environments[i],
                  " entrain-worker preflight ", dir_.path());
    ran_ = tests::run(line);
    ASSERT_EQ(ran_.code, 0) << ran_.output;
    answer_ = checkpoint::last_object(ran_.output);
    ASSERT_TRUE(answer_.is_object()) << ran_.output;
    for (const auto& node : answer_["nodes"]) nodes_.push_back(node_probe_of(node));
    ASSERT_EQ(nodes_.size(), environments.size()) << ran_.output;
  }

  const std::string sick_ = "LD_PRELOAD=" PREFLIGHT_SICK_NODE;
  tests::TemporaryFolder dir_;
  Ran ran_;
  nlohmann::json answer_;
  std::vector<NodeProbe> nodes_;
};

TEST_F(PreflightRanks, OfHealthyNodesEveryLinkIsTimedAndNothingIsLeftBehind) {
  start({"", "", ""});
  EXPECT_EQ(answer_["world"], 3);
  EXPECT_EQ(nodes_[0].host, "n1");
  EXPECT_EQ(nodes_[2].host, "n3");
  for (const auto& node : nodes_) {
    EXPECT_EQ(node.write_error, "");
    EXPECT_GT(node.write_seconds, 0);
    EXPECT_LT(std::abs(node.skew_seconds), 0.5) << "they have one clock";
    EXPECT_THAT(node.links, SizeIs(2));
    for (const auto& [to, rate] : node.links) EXPECT_GT(rate, 10) << node.host << to;
    EXPECT_EQ(node.inside_megabytes_per_s, 0);
  }
  EXPECT_EQ(nodes_[0].links["n2"], nodes_[1].links["n1"]);
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
}

TEST_F(PreflightRanks, SickNodesAreFoundOut) {
  std::filesystem::create_directory(dir_ / ".preflight-n4.tmp");
  start({"", sick_ + " TEST_SLOW_MS=500", sick_ + " TEST_CLOCK_SECONDS=100", "", ""});
  const auto verdict = judge(nodes_);
  // On a busy machine a link between sound ranks may be slow for a moment, too.
  const auto why = [&](const std::string& host) {
    for (const auto& bad : verdict.bad)
      if (bad.host == host) return bad.why;
    return std::string("nothing");
  };
  EXPECT_THAT(why("n2"), HasSubstr("its links are slow: ")) << answer_;
  EXPECT_THAT(why("n4"), HasSubstr("Is a directory creating " + (dir_ / ".preflight-n4.tmp"))) << answer_;
  ASSERT_THAT(verdict.warnings, SizeIs(1)) << answer_;
  EXPECT_THAT(verdict.warnings[0], HasSubstr("the clock of n3 is 100.0 s ahead"));
}

TEST_F(PreflightRanks, RanksOfOneNodeAreTimedWithEachOther) {
  ran_ = tests::run(
      cat("mpirun --oversubscribe -n 3 env SLURMD_NODENAME=n1 entrain-worker preflight ", dir_.path()));
  answer_ = checkpoint::last_object(ran_.output);
  ASSERT_EQ(answer_["nodes"].size(), 1U) << ran_.output;
  const auto node = node_probe_of(answer_["nodes"][0]);
  EXPECT_THAT(node.links, IsEmpty());
  EXPECT_GT(node.inside_megabytes_per_s, 10);
}

TEST_F(PreflightRanks, AFileSystemThatHangsIsAnErrorInTime) {
  ASSERT_EQ(tests::run("mkfifo " + (dir_ / ".preflight-n2.tmp")).code, 0);
  start({"", "", ""});
  const auto verdict = judge(nodes_);
  ASSERT_FALSE(verdict.bad.empty()) << answer_;
  EXPECT_EQ(verdict.bad[0].host, "n2");
  EXPECT_THAT(verdict.bad[0].why, HasSubstr("not written and read back within 20 s"));
}

TEST_F(PreflightRanks, AFolderThatIsNotThereIsNobodysFault) {
  std::filesystem::remove(dir_.path());
  start({"", "", ""});
  EXPECT_TRUE(judge(nodes_).no_folder) << answer_;
  EXPECT_THAT(nodes_[0].write_error, HasSubstr("No such file or directory"));
  EXPECT_EQ(tests::run("entrain-worker preflight a b").code, 64);
}

}  // namespace
}  // namespace entrain::supervise
