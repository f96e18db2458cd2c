// Which nodes a preflight blames, what it says, and what it leaves behind. Pure but for bad_nodes.json.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "configs/error.hpp"
#include "coordinator/supervise/bad_nodes.hpp"
#include "coordinator/supervise/node_verdict.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::supervise {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::TemporaryFolder;

constexpr double kFast = 2000, kSlow = 200;

// Nodes n1, n2, ... in a ring; rates[i]: of the link from node i to the next.
std::vector<NodeProbe> ring(const std::vector<double>& rates) {
  const std::size_t count = rates.size() == 1 ? 2 : rates.size();
  std::vector<NodeProbe> nodes(count);
  for (std::size_t i = 0; i < count; ++i) {
    nodes[i].host = "n" + std::to_string(i + 1);
    nodes[i].write_seconds = 0.001 * static_cast<double>(i + 1);
  }
  for (std::size_t i = 0; i < rates.size(); ++i) {
    NodeProbe &one = nodes[i], &other = nodes[(i + 1) % count];
    one.links[other.host] = other.links[one.host] = rates[i];
  }
  return nodes;
}

std::vector<std::string> bad_of(const std::vector<NodeProbe>& nodes) {
  std::vector<std::string> out;
  for (const auto& bad : judge(nodes).bad) out.push_back(bad.host);
  return out;
}

TEST(RingRounds, TimeEveryLinkOnceAndNoNodeTwiceInARound) {
  EXPECT_THAT(ring_rounds(0), IsEmpty());
  EXPECT_THAT(ring_rounds(1), IsEmpty());
  EXPECT_THAT(ring_rounds(2), ElementsAre(ElementsAre(std::pair(0, 1))));
  for (int nodes = 3; nodes <= 9; ++nodes) {
    std::set<std::pair<int, int>> links;
    const auto rounds = ring_rounds(nodes);
    EXPECT_THAT(rounds, SizeIs(nodes % 2 == 0 ? 2 : 3)) << nodes;
    for (const auto& round : rounds) {
      std::set<int> busy;
      for (const auto& [one, other] : round) {
        EXPECT_EQ(other, (one + 1) % nodes);
        EXPECT_TRUE(busy.insert(one).second && busy.insert(other).second) << nodes;
        EXPECT_TRUE(links.insert({one, other}).second) << nodes;
      }
    }
    EXPECT_THAT(links, SizeIs(nodes));
  }
}

TEST(NodeVerdict, OnlyWhoIsSlowTwiceIsBlamedForIt) {
  const auto slow = judge(ring({kSlow, kSlow, kFast, kFast, kFast})),
             sound = judge(ring({kFast, kFast, kFast, kFast, kFast}));
  ASSERT_THAT(slow.bad, SizeIs(1));
  EXPECT_TRUE(slow.bad[0].slow);
  EXPECT_THAT(confirmed(slow, slow).bad, SizeIs(1));
  EXPECT_THAT(confirmed(slow, sound).bad, IsEmpty());
  EXPECT_THAT(confirmed(sound, slow).bad, IsEmpty());
  auto nodes = ring({kFast, kFast, kFast});
  nodes[1].write_error = "No space left on device";
  EXPECT_THAT(confirmed(sound, judge(nodes)).bad, SizeIs(1)) << "that is no matter of chance";
}

TEST(NodeVerdict, ANodeWithBothLinksSlowIsBadAndNamedWithItsRates) {
  const auto verdict = judge(ring({kSlow, kSlow, kFast}));
  ASSERT_THAT(verdict.bad, SizeIs(1));
  EXPECT_EQ(verdict.bad[0].host, "n2");
  EXPECT_EQ(verdict.bad[0].why,
            "its links are slow: 200 MB/s to n1, 200 MB/s to n3; most nodes have 2.0 GB/s");
  EXPECT_THAT(verdict.warnings, IsEmpty()) << "its neighbours have nothing to answer for";
  EXPECT_THAT(bad_of(ring({kFast, kFast, kSlow, kSlow, kFast})), ElementsAre("n4"));
  EXPECT_THAT(bad_of(ring({kFast, kSlow, kSlow, kFast, kSlow, kSlow, kFast})), ElementsAre("n3", "n6"));
}

TEST(NodeVerdict, WithTwoNodesNobodyIsToBlame) {
  auto nodes = ring({0.5});
  nodes[0].inside_megabytes_per_s = 5000, nodes[1].inside_megabytes_per_s = 300;
  const auto verdict = judge(nodes);
  EXPECT_THAT(verdict.bad, IsEmpty());
  EXPECT_THAT(verdict.warnings, IsEmpty());
}

TEST(NodeVerdict, WhereAllLinksAreSlowNobodyIsToBlame) {
  EXPECT_THAT(bad_of(ring({kSlow, kSlow, kSlow})), IsEmpty());
  EXPECT_THAT(bad_of(ring({kSlow, kSlow, kSlow, kSlow})), IsEmpty());
  EXPECT_THAT(bad_of(ring({kFast, kSlow, kSlow, kSlow})), IsEmpty()) << "two of four are no majority";
}

TEST(NodeVerdict, ASlowLinkOfAHealthyNodeIsWarnedOfAndOnlyTheBadOneIsBad) {
  const auto verdict = judge(ring({kFast, kSlow, kSlow, kFast, kFast, kSlow, kFast}));
  ASSERT_THAT(verdict.bad, SizeIs(1));
  EXPECT_EQ(verdict.bad[0].host, "n3");
  EXPECT_THAT(verdict.warnings,
              ElementsAre("the link between n6 and n7 has 200 MB/s, most nodes have 2.0 GB/s; both "
                          "have better ones, so both stay"));
}

TEST(NodeVerdict, AFactorOfTwoIsNotSlow) {
  EXPECT_THAT(bad_of(ring({kFast / 2.9, kFast / 2.9, kFast, kFast})), IsEmpty());
  EXPECT_THAT(bad_of(ring({kFast / 3.1, kFast / 3.1, kFast, kFast})), ElementsAre("n2"));
}

TEST(NodeVerdict, WhoCannotWriteIsBadUnlessNobodyCan) {
  auto nodes = ring({kFast, kFast, kFast});
  nodes[2].write_error = "Stale file handle creating r/.preflight-n3.tmp";
  const auto one = judge(nodes);
  ASSERT_THAT(one.bad, SizeIs(1));
  EXPECT_EQ(one.bad[0].host, "n3");
  EXPECT_THAT(one.bad[0].why, HasSubstr("run's folder: Stale file handle creating"));
  EXPECT_FALSE(one.no_folder);
  for (auto& node : nodes) node.write_error = "No space left on device";
  const auto all = judge(nodes);
  EXPECT_THAT(all.bad, IsEmpty());
  EXPECT_TRUE(all.no_folder);
  EXPECT_FALSE(judge({}).no_folder) << "of no nodes nothing can be said";
}

TEST(NodeVerdict, AClockIsWarnedOfAndNeverBlamed) {
  auto nodes = ring({kFast, kFast, kFast});
  nodes[1].skew_seconds = -3.25, nodes[2].skew_seconds = 0.9;
  const auto verdict = judge(nodes);
  EXPECT_THAT(verdict.bad, IsEmpty());
  ASSERT_THAT(verdict.warnings, SizeIs(1));
  EXPECT_THAT(verdict.warnings[0], HasSubstr("the clock of n2 is 3.2 s behind the others"));
  nodes[1].skew_seconds = 5, nodes[2].skew_seconds = 5;  // rank 0's is the one that is wrong
  EXPECT_THAT(judge(nodes).warnings, ElementsAre(HasSubstr("the clock of n1 is 5.0 s behind")));
}

TEST(NodeVerdict, SlowRanksOfANodeAreWarnedOf) {
  auto nodes = ring({kFast, kFast, kFast});
  for (auto& node : nodes) node.inside_megabytes_per_s = 5000;
  EXPECT_THAT(judge(nodes).warnings, IsEmpty());
  nodes[1].inside_megabytes_per_s = 300;
  EXPECT_THAT(judge(nodes).bad, IsEmpty());
  EXPECT_THAT(judge(nodes).warnings, ElementsAre(HasSubstr("the ranks on n2 exchange 300 MB/s")));
}

TEST(Summary, TellsTheWorstOfTheGoodNodes) {
  auto nodes = ring({kFast, kSlow, kSlow, 2140});
  nodes[3].skew_seconds = 0.0021, nodes[1].skew_seconds = -0.0004;
  nodes[2].write_seconds = 9;  // the bad one's
  EXPECT_EQ(summary(nodes, judge(nodes)),
            "1 MiB written and read back in 4 ms at worst, links 2.0 GB/s at worst, clocks within 3 ms");
  nodes[0].links.clear(), nodes[0].inside_megabytes_per_s = 5100;
  EXPECT_EQ(summary({nodes[0]}, {}),
            "1 MiB written and read back in 1 ms at worst, inside a node 5.1 GB/s at worst")
      << "of one node there are no clocks to compare";
}

TEST(NodeProbe, ComesBackFromItsJson) {
  auto nodes = ring({kFast, kSlow, kFast});
  nodes[1].write_error = "no", nodes[1].skew_seconds = -2, nodes[1].inside_megabytes_per_s = 7;
  const auto back = node_probe_of(json_of(nodes[1]));
  EXPECT_EQ(back.host, "n2");
  EXPECT_EQ(back.write_seconds, 0.002);
  EXPECT_EQ(back.write_error, "no");
  EXPECT_EQ(back.skew_seconds, -2);
  EXPECT_EQ(back.links, nodes[1].links);
  EXPECT_EQ(back.inside_megabytes_per_s, 7);
  for (const char* text : {"null", "[]", "5", R"({"host":5,"megabytes_per_s":[1],"skew_seconds":"x"})"})
    EXPECT_EQ(node_probe_of(nlohmann::json::parse(text)).links.size(), 0U) << text;
}

TEST(BadNodes, AreMergedByNodeAndForgottenAfterADay) {
  const TemporaryFolder dir;
  EXPECT_THAT(noted_nodes(dir.path()), IsEmpty());
  note_nodes(dir.path(), {{"n3", "it says \"no\"\n", "12", "2026-03-02T10:00:00Z"},
                          {"n1", "slow", "12", "2026-03-02T10:00:00Z"}});
  note_nodes(dir.path(), {{"n3", "again", "13", "2026-03-03T09:00:00Z"}});
  const auto noted = noted_nodes(dir.path());
  ASSERT_THAT(noted, SizeIs(2));
  EXPECT_EQ(noted[0].node, "n1");
  EXPECT_EQ(noted[1].node, "n3");
  EXPECT_EQ(noted[1].why, "again");
  EXPECT_EQ(noted[1].job, "13");
  EXPECT_EQ(noted[1].at, "2026-03-03T09:00:00Z");
  EXPECT_THAT(young_nodes(noted, "2026-03-03T09:59:59Z"), SizeIs(2));
  const auto later = young_nodes(noted, "2026-03-03T10:00:00Z");
  ASSERT_THAT(later, SizeIs(1));
  EXPECT_EQ(later[0].node, "n3");
}

TEST(BadNodes, HaveALineEachWhichTheJobsScriptReads) {
  const TemporaryFolder dir;
  note_nodes(dir.path(), {{"n3", R"(","job":"9","node":"n8")", "12", "2026-03-02T10:00:00Z"},
                          {"n4", "slow", "12", "2026-03-02T10:00:00Z"}});
  const std::string text = tests::read_file(dir / "bad_nodes.json");
  EXPECT_THAT(
      text,
      HasSubstr("\n{\"node\":\"n4\",\"why\":\"slow\",\"job\":\"12\",\"at\":\"2026-03-02T10:00:00Z\"}\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"job\":\"9\""))) << "what a reason says is no member of the line";
}

TEST(BadNodes, OfABrokenFileThereAreNoneAndNoNameIsAnOption) {
  const TemporaryFolder dir;
  for (const char* text : {"", "{", "{}", "[1]", R"([{"node":5}])", R"([{"node":"n1 --uid=0"}])",
                           R"([{"node":"-n1"}])", R"([{"node":"n1,n2"}])"}) {
    tests::write_file(dir / "bad_nodes.json", text);
    EXPECT_THAT(noted_nodes(dir.path()), IsEmpty()) << text;
  }
  tests::write_file(dir / "bad_nodes.json", R"([{"node":"gpu-a_1.site","at":"yesterday"}])");
  EXPECT_THAT(noted_nodes(dir.path()), SizeIs(1));
  EXPECT_THAT(young_nodes(noted_nodes(dir.path()), "2026-03-03T10:00:00Z"), IsEmpty());
  EXPECT_THROW(note_nodes("/no/such/folder", {{"n1", "", "", ""}}), CheckpointError);
}

}  // namespace
}  // namespace entrain::supervise
