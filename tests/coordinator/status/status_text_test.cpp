#include "coordinator/status/status_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "configs/cat.hpp"
#include "coordinator/status/lag_table.hpp"
#include "tests/coordinator/status/fake_status.hpp"

namespace entrain::status {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::size_t widest(const std::string& text) {
  std::istringstream lines(text);
  std::size_t most = 0;
  for (std::string line; std::getline(lines, line);) {
    std::size_t characters = 0;
    for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    most = std::max(most, characters);
  }
  return most;
}

RunStatus with_a_laggard() {
  RunStatus s = tests::training(64);
  s.ranks[37].beat.step = 1199;
  s.ranks[37].beat.phase = control::Phase::kCompute;
  s.ranks[37].beat.seconds_in_phase = 41;
  s.ranks[37].beat.collectives = 2397;
  s.ranks[37].behind = true;
  return s;
}

TEST(StatusText, FoldsRanksThatAreAlike) {
  const std::string text = status_text(tests::training(64), {});
  EXPECT_THAT(text, HasSubstr("runs/a  pretrain  generation 2  job 77\n  training\n"));
  EXPECT_THAT(text, HasSubstr("  step 1200 of 5000  [#########"));
  EXPECT_THAT(text, HasSubstr("] 24.0 %\n"));
  EXPECT_THAT(text, HasSubstr("  loss 3.2500   4863.5 views/s   0.850 s per step   53m50s to go\n"));
  EXPECT_THAT(text, HasSubstr("committed step 1150, 42s ago   goodput 96.4 %   1 failure"));
  EXPECT_THAT(text, HasSubstr("job ends in 11h28m"));
  EXPECT_THAT(text, HasSubstr("  ranks 0-63: step 1200, alive, on 8 hosts\n"));
  EXPECT_THAT(text, HasSubstr("commit    step 1150\n"));
  EXPECT_LE(widest(text), 80U);
}

TEST(StatusText, ListsTheOddOnesAndWhoIsBehind) {
  RunStatus s = with_a_laggard();
  s.ranks[5].health = "suspect";
  s.ranks[6].beat.step = 1201;  // one step apart is two clocks, not a straggler
  const std::string text = status_text(s, {});
  EXPECT_THAT(text, HasSubstr("  ranks 0-4,6-36,38-63: step 1200-1201, alive"));
  EXPECT_THAT(text, HasSubstr("  rank 37: step 1199, alive, BEHIND, compute for 41s, pid 5037 on node5\n"
                              "  rank 5: step 1200, suspect, "));
  EXPECT_THAT(text, Not(HasSubstr("rank 6:")));
  for (int r = 10; r < 30; ++r) s.ranks[static_cast<std::size_t>(r)].health = "dead";
  EXPECT_THAT(status_text(s, {}), HasSubstr("and 12 more that are not like the others"));
}

TEST(StatusText, NothingOfAnEndedRunLooksAlive) {
  RunStatus s = with_a_laggard();
  s.ranks[5].health = "suspect";
  s.ranks[6].health = "dead";
  s.ranks[7].beat.stopped = true;
  s.ranks[8].beat.step = 900;
  ASSERT_THAT(status_text(s, {}) + lag_table(s), HasSubstr("alive, BEHIND"));
  s.state = "ended";
  s.exit_code = 93;
  s = settled(s);
  const std::string text = status_text(s, {}), table = lag_table(s);
  EXPECT_THAT(text, HasSubstr("ranks 0-5,7-63: step 900-1200, ended, on 8 hosts\n"
                              "  rank 6: step 1200, dead, collective, pid 5006 on node1\n"));
  EXPECT_THAT(text, HasSubstr("committed step 1150 at 2026-03-02T10:03:29Z"));
  EXPECT_THAT(table, StartsWith("64 ranks, last heard of before the run ended\n"));
  for (const char* word :
       {"alive", "BEHIND", "behind", "suspect", "stopped", " 0s ", " for 41s", " ago", "to go", "job ends"})
    EXPECT_THAT(text + table, Not(HasSubstr(word)));
}

TEST(StatusText, ATableStandsAlignedOnLinesOfItsOwn) {
  RunStatus s = tests::training(1);
  s.events = {{"2026-03-02T10:05:00Z", "preflight", "2 ranks on 1 node"},
              {"2026-03-02T10:05:00Z", "behind",
               "  rank  host\n  1     a\n  2     b\n  3     c\n  4     d\n  5     e\n  6     f"}};
  EXPECT_THAT(
      status_text(s, {}),
      ::testing::EndsWith("  2026-03-02T10:05:00Z  preflight  2 ranks on 1 node\n"
                          "  2026-03-02T10:05:00Z  behind\n    rank  host\n    1     a\n    2     b\n"
                          "    3     c\n    4     d\n    5     e\n    and 1 more line in events.jsonl\n"));
  TextStyle whole;
  whole.rows = std::string::npos;
  EXPECT_THAT(status_text(s, whole), ::testing::EndsWith("    5     e\n    6     f\n"));
  EXPECT_THAT(status_text(s, whole), Not(HasSubstr("more line")));
}

TEST(StatusText, LongLinesGoOnBelowAndNothingIsCut) {
  RunStatus s = tests::training(1);
  std::string text;
  for (int word = 0; word < 60; ++word) text += cat("word", word, ' ');
  s.events = {{"2026-03-02T10:05:00Z", "bad", text + "\xc3\xa4"}};
  const std::string narrow = status_text(s, {}), wide = status_text(s, {std::string::npos});
  EXPECT_LE(widest(narrow), 80U);
  EXPECT_THAT(narrow, HasSubstr("bad       word0 word1"));
  EXPECT_THAT(narrow, HasSubstr("\n                                  word")) << "below the first one";
  for (int word = 0; word < 60; ++word) EXPECT_THAT(narrow, HasSubstr(cat("word", word)));
  EXPECT_THAT(wide, HasSubstr(text)) << "where no terminal has a width, a line is a line";
  EXPECT_THAT(narrow + wide, Not(HasSubstr("...\n")));
}

TEST(StatusText, AStageWithoutStepsAndCommitsSaysNothingOfThem) {
  RunStatus s = tests::training(2);
  ASSERT_THAT(status_text(s, {}), AllOf(HasSubstr("step "), HasSubstr("goodput"), HasSubstr("committed")));
  s.stage = "evaluate";
  s.step = s.total_steps = s.committed = 0;
  s.commits.clear();
  s.loss = s.views_per_second = s.step_seconds = s.eta_seconds = s.goodput = s.deadline_seconds =
      std::nullopt;
  s.failures = 0;
  s.events.clear();
  for (RankStatus& r : s.ranks) r.beat.step = 0;
  EXPECT_EQ(status_text(s, {}),
            "runs/a  evaluate  generation 2  job 77\n  evaluating\n  ranks 0-1: alive, on 1 host\n");
  s.stage = "finetune";
  s.step = 3;
  s.total_steps = 20;
  EXPECT_THAT(status_text(s, {}), AllOf(HasSubstr("step 3 of 20"), Not(HasSubstr("commit"))));
}

TEST(StatusText, RanksThatNobodyWatchesAreNotCalledAlive) {
  RunStatus s = tests::training(4);
  s.state = "unknown";
  for (RankStatus& r : s.ranks) r.health = "unknown";
  const std::string text = status_text(s, {});
  EXPECT_THAT(text, HasSubstr("  ranks 0-3: step 1200, when last heard, on 1 host\n"));
  EXPECT_THAT(text + lag_table(s), Not(HasSubstr("alive")));
  EXPECT_THAT(text, Not(HasSubstr("rank 0: ")));
}

TEST(StatusText, FitsAnyWidthWhateverItIsTold) {
  RunStatus s = with_a_laggard();
  s.state = "ended";
  s.exit_code = 93;
  s.run_dir = "/scratch/" + std::string(200, 'a');
  s.reason =
      "three generations " + std::string(300, 'b') + " failed, and failed, and " + std::string(40, 'c');
  s.events.push_back({"2026-03-02T10:05:00Z", "a-very-long-kind-of-event", std::string(500, 'd')});
  for (const std::size_t columns : {40U, 80U, 200U}) {
    const std::string text = status_text(s, {columns});
    EXPECT_LE(widest(text), columns);
    EXPECT_THAT(text, HasSubstr("exit code 93"));
  }
  EXPECT_THAT(status_text(s, {}), HasSubstr(std::string(40, 'c'))) << "a reason is told to its end";
}

TEST(StatusText, HostileTextMovesNoCursor) {
  RunStatus s = with_a_laggard();
  s.reason = s.run_dir = s.stage = s.job_id = s.ranks[37].host = s.ranks[37].health = s.events[0].text =
      s.events[0].kind = s.events[0].time = tests::kHostile;
  for (const std::string& text : {status_text(s, {}), lag_table(s)}) {
    EXPECT_EQ(text.find('\x1b'), text.npos);
    EXPECT_EQ(text.find('\r'), text.npos);
    EXPECT_EQ(text.find("\xc2\x9b"), text.npos);
    EXPECT_EQ(text.find('\xff'), text.npos);
  }
  EXPECT_THAT(status_text(s, {}), HasSubstr("data: x\\x0d\\x1b[2J?2J\\xff"));
}

TEST(StatusText, ColoursOnlyWhenAskedTo) {
  RunStatus s = with_a_laggard();
  EXPECT_EQ(status_text(s, {}).find('\x1b'), std::string::npos);
  const std::string coloured = status_text(s, {80, true});
  EXPECT_THAT(coloured, HasSubstr("\x1b[31m  rank 37"));
  EXPECT_THAT(coloured, HasSubstr("\x1b[32m  training\x1b[0m"));
}

TEST(StatusText, SaysLittleWhereLittleIsKnown) {
  RunStatus s;
  s.run_dir = "runs/new";
  EXPECT_EQ(status_text(s, {}), "runs/new\n  starting\n");
  s.world = 4;
  EXPECT_THAT(status_text(s, {}), HasSubstr("  no report from the 4 ranks\n"));
}

TEST(LagTable, PutsWhoIsBehindFirst) {
  const std::string table = lag_table(with_a_laggard());
  EXPECT_THAT(table,
              StartsWith("rank 37 on node5 is behind: step 1199, in compute for 41s, 3 collectives fewer "
                         "than the others\n\n"));
  std::istringstream lines(table);
  std::string line;
  std::vector<std::string> all;
  while (std::getline(lines, line)) all.push_back(line);
  ASSERT_EQ(all.size(), 67U);
  EXPECT_THAT(all[2], HasSubstr("rank  host"));
  EXPECT_THAT(all[3], HasSubstr("    37  node5"));
  EXPECT_THAT(all[3], HasSubstr("alive, BEHIND"));
  EXPECT_THAT(all[4], HasSubstr("     0  node1"));
}

TEST(TerminalText, CutsByCharactersNotBytes) {
  EXPECT_EQ(terminal_text("abcdef", 6), "abcdef");
  EXPECT_EQ(terminal_text("abcdefg", 6), "abc...");
  EXPECT_EQ(terminal_text("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc", 6),
            "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc");
  EXPECT_EQ(terminal_text("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc", 5), "\xc3\xa4\xc3\xb6...");
  EXPECT_EQ(terminal_text("a\nb\tc", 80), "a\\x0ab\\x09c");
}

}  // namespace
}  // namespace entrain::status
