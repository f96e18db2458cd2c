// The audit: what a run's ledger proves, and that nothing else passes for it.
#include <gmock/gmock.h>

#include <filesystem>
#include <functional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "coordinator/audit_batches.hpp"
#include "coordinator/audit_checkpoints.hpp"
#include "coordinator/epoch_marks.hpp"
#include "tests/coordinator/audited_run.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// 100 images, batches of 16, 28 steps: 4 epochs and 48 images of the next. Three generations on 4, 2 and 3 ranks; one
// commit fails, one is found broken and trained again, one is lost in a crash.
void write_eventful_run(const std::string& dir) {
  LedgerRun run(dir);
  run.start(4, 100);
  run.commit(4, 0);
  run.commit(9, 4);
  run.ledger().append({{"kind", "ABORT"}, {"step", 12}, {"reason", "no space"}});
  run.commit(13, 9);
  run.ledger().append({{"kind", "BAD"}, {"step", 13}, {"reason", "a flipped bit"}});
  run.ledger().append({{"kind", "ATTEMPT"}, {"step", 9}});
  run.start(2, 100);
  run.commit(13, 9);
  run.commit(20, 13, true);
  run.ledger().append({{"kind", "ATTEMPT"}, {"step", 20}});
  run.start(3, 100);
  run.commit(28, 20, true);
  run.ledger().append({{"kind", "END"}, {"code", 0}, {"committed", 28}});
}

std::vector<std::string> lines_of(const std::string& run) {
  const std::string text = read_file(run + "/ledger.jsonl");
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) + 1 - at));
  return lines;
}

void write_lines(const std::string& run, const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line;
  write_file(run + "/ledger.jsonl", text);
}

TEST(Audit, ProvesARunOverRestartsAndNumbersOfRanks) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  const auto report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  EXPECT_THAT(report.worlds, ElementsAre(4, 2, 3));
  EXPECT_EQ(report.last_step, 28);
  EXPECT_EQ(report.checked_steps, 28 + 4) << "the undone commit's batches too";
  ASSERT_EQ(report.plans.size(), 1U);
  EXPECT_EQ(report.plans[0].whole_epochs, 4);
  ASSERT_EQ(report.plans[0].open.size(), 1U);
  EXPECT_EQ(report.plans[0].open[0].epoch, 4);
  EXPECT_EQ(report.plans[0].open[0].seen, 28 * 16 - 400);
  EXPECT_EQ(report.plans[0].open[0].missing.size(), 52U);
  EXPECT_FALSE(report.plans[0].open[0].cut);
  EXPECT_EQ(
      std::count_if(report.commits.begin(), report.commits.end(), [](const auto& c) { return c.counts; }), 5);
  EXPECT_EQ(report.commits[2].bad, "a flipped bit");
  EXPECT_FALSE(report.commits[2].counts);
  EXPECT_TRUE(report.commits[4].on_disk);
  const std::string text = coordinator::audit_text(report);
  EXPECT_THAT(
      text, AllOf(HasSubstr("1 to 28 in 5 commits; 1 undone (step 13 BAD)"), HasSubstr("3, on 4, 2, 3 ranks"),
                  HasSubstr("epoch 4 not over: 48 of 100"), HasSubstr("proven: steps 1 to 28 tile")));
  const auto json = coordinator::audit_json(report);
  EXPECT_EQ(json["proven"], true);
  EXPECT_EQ(json["plans"][0]["open_epochs"][0]["not_seen"].size(), 52U);
}

TEST(Audit, OneBatchThatIsNotThePlansIsNamedByLineAndStep) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  fs::remove_all(run / "checkpoints");
  forge(run.path(), 3, [](nlohmann::json& commit) {
    auto& digit = commit["span"]["batches"][2].get_ref<std::string&>()[31];
    digit = digit == '0' ? '1' : '0';
  });
  const auto report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 73);
  EXPECT_THAT(report.wrong,
              ElementsAre(HasSubstr("line 3: COMMIT of step 9: step 7 trained on another batch")));
  EXPECT_THAT(coordinator::audit_text(report), HasSubstr("NOT PROVEN"));
}

TEST(Audit, AnotherSeedIsAnotherPlan) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  forge(run.path(), 1, [](nlohmann::json& start) { start["plan"]["seed"] = 8; });
  const auto report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 73);
  EXPECT_THAT(report.wrong, Contains(HasSubstr("line 1: START: its plan's digest is")));
}

TEST(Audit, GapsOverlapsAndOrphansAreNamed) {
  const TemporaryFolder run;
  const auto said = [&](std::size_t line, const std::function<void(nlohmann::json&)>& change) {
    fs::remove_all(run / "checkpoints");
    fs::remove(run / "ledger.jsonl");
    write_eventful_run(run.path());
    fs::remove_all(run / "checkpoints");
    forge(run.path(), line, change);
    const auto report = audit(run.path());
    EXPECT_EQ(report.exit_code(), report.wrong.empty() ? 0 : 73);
    return report.wrong;
  };
  EXPECT_THAT(said(1, [](nlohmann::json&) {}), IsEmpty());
  EXPECT_THAT(said(3, [](nlohmann::json& c) { c["parent"] = 3; }),
              Contains(HasSubstr("line 3: COMMIT of step 9: its span begins at 5, not behind its parent 3")));
  EXPECT_THAT(said(3, [](nlohmann::json& c) { c["parent"] = 3; }),
              Contains(HasSubstr("which no line before commits")));
  EXPECT_THAT(said(3, [](nlohmann::json& c) { c["span"]["batches"].erase(0); }),
              Contains(HasSubstr("its span is 5 steps but tells 4 batches")));
  EXPECT_THAT(said(2, [](nlohmann::json& c) { c["kind"] = "ABORT"; }),
              Contains(HasSubstr("the path that counts begins at step 5, not at 1")));
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["generation"] = 1; }),
              Contains(HasSubstr("begins generation 1 after generation 1")));
  EXPECT_THAT(said(10, [](nlohmann::json& c) { c.erase("span"); }),
              Contains(HasSubstr("line 10: COMMIT of step 20: it has no span")));
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["lane_images"] = 8; }),
              Contains(HasSubstr("are not a global batch of 16")));
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["plan"].erase("num_samples"); }),
              Contains(HasSubstr("line 8: START")));
}

// Numbers of the epochs are only worth something if marks that come twice are seen.
TEST(Audit, AStartThatSaysWhatNoneCanSayIsWrongAndEndsNothing) {
  const std::vector<std::function<void(nlohmann::json&)>> lies{
      [](nlohmann::json& r) { r.erase("lanes"); },
      [](nlohmann::json& r) { r["lanes"] = nullptr; },
      [](nlohmann::json& r) { r["lane_images"] = "4"; },
      [](nlohmann::json& r) { r["lane_images"] = 0; },
      [](nlohmann::json& r) { r["lane_images"] = -4, r["lanes"] = -4; },
      [](nlohmann::json& r) { r["plan"] = nlohmann::json::array(); },
      [](nlohmann::json& r) { r["plan"]["excluded"] = 7; },
      [](nlohmann::json& r) { r["generation"] = "4"; },
      [](nlohmann::json& r) { r["time"] = 5; },
      [](nlohmann::json& r) { r["corpus_digest"] = 5; }};
  for (std::size_t lie = 0; lie < lies.size(); ++lie) {
    const TemporaryFolder run;
    write_eventful_run(run.path());
    ASSERT_EQ(audit(run.path()).exit_code(), 0);
    forge(run.path(), 1, lies[lie]);
    EXPECT_EQ(audit(run.path()).exit_code(), 73) << "lie " << lie;
  }
}

TEST(EpochMarks, SeeTwiceAndNever) {
  coordinator::EpochMarks marks(70), other(70);
  for (std::int64_t s = 0; s < 70; ++s) EXPECT_TRUE(marks.mark(3, s));
  EXPECT_FALSE(marks.mark(3, 5)) << "the epoch was whole";
  EXPECT_TRUE(marks.mark(4, 69));
  EXPECT_FALSE(marks.mark(4, 69));
  EXPECT_THAT(marks.whole(), ElementsAre(3));
  EXPECT_THAT(marks.open(), ElementsAre(4));
  EXPECT_EQ(marks.missing(4).size(), 69U);
  for (std::int64_t s = 0; s < 69; ++s) other.mark(4, s);
  other.mark(3, 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> twice;
  marks.add(other, [&](std::int64_t epoch, std::int64_t sample) { twice.emplace_back(epoch, sample); });
  EXPECT_THAT(twice, ElementsAre(std::pair<std::int64_t, std::int64_t>(3, 1)));
  EXPECT_THAT(marks.whole(), ElementsAre(3, 4));
}

// Counting by hand a path that trains steps 5 to 9 twice: every one of their samples is seen again.
TEST(Audit, StepsThatCountTwiceAreSeenInTheEpochs) {
  const TemporaryFolder dir;
  LedgerRun run(dir.path());
  run.start(2, 100);
  run.commit(4, 0);
  run.commit(9, 4);
  run.commit(9, 4);
  const auto ledger = checkpoint::read_ledger(dir.path()).records;
  auto path = checkpoint::path_of(ledger);
  EXPECT_EQ(path.path, (std::vector<std::size_t>{0, 2}));
  std::vector<std::string> wrong;
  coordinator::RunCorpus corpus(dir.path(), ledger);
  const auto eras = coordinator::eras_of(ledger, corpus, 1, wrong);
  coordinator::audit_batches(ledger, path, eras, {}, 2, wrong);
  EXPECT_THAT(wrong, IsEmpty());
  path.commits[1].counts = true;
  path.path = {0, 1, 2};
  coordinator::audit_batches(ledger, path, eras, {}, 2, wrong);
  ASSERT_THAT(wrong, Contains(HasSubstr(" again in epoch 0")));
  EXPECT_THAT(wrong.back(), HasSubstr(cat("and ", 5 * 16 - 8, " more")));
}

TEST(Audit, EveryRecordTakenOutRepeatedOrMovedIsSeenAndItsLineNamed) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  const auto good = lines_of(run.path());
  ASSERT_EQ(good.size(), 14U);
  const auto first_wrong = [&](const std::vector<std::string>& lines) {
    write_lines(run.path(), lines);
    const auto report = audit(run.path());
    EXPECT_EQ(report.exit_code(), report.wrong.empty() ? 0 : 73);
    return report.wrong.empty() ? std::string() : report.wrong[0];
  };
  const auto at = [](std::size_t i) { return HasSubstr(cat("ledger.jsonl:", i + 1, ": ")); };
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto lines = good;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i));
    if (i + 1 < good.size()) {
      EXPECT_THAT(first_wrong(lines), at(i));
    }
    lines = good;
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
    EXPECT_THAT(first_wrong(lines), at(i + 1));
    if (i + 1 == good.size()) continue;
    lines = good;
    std::swap(lines[i], lines[i + 1]);
    EXPECT_THAT(first_wrong(lines), at(i));
    lines = good;
    lines[i][lines[i].size() / 2] ^= 1;
    EXPECT_THAT(first_wrong(lines), at(i));
  }
  EXPECT_EQ(first_wrong(good), "");
}

// A chain cannot see its own end go; the checkpoints on the disk do.
TEST(Audit, LinesCutOffAtTheEndAreMissedByTheCheckpoints) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  auto lines = lines_of(run.path());
  // 14 END, 13 COMMIT 28 (behind 12), 12 START, 11 ATTEMPT, 10 COMMIT 20 (behind 9)
  EXPECT_EQ(audit(run.path()).vouched_lines, 13U);
  lines.resize(13);
  write_lines(run.path(), lines);
  EXPECT_THAT(audit(run.path()).exit_code(), 0) << "END: nobody can miss it";
  lines.resize(12);
  write_lines(run.path(), lines);
  auto report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_EQ(report.last_step, 20);
  EXPECT_THAT(report.notes,
              Contains(HasSubstr("step-00000028 is not in the ledger; the next start promotes it")));
  for (const std::size_t left : {std::size_t{11}, std::size_t{10}, std::size_t{9}, std::size_t{3}}) {
    lines.resize(left);
    write_lines(run.path(), lines);
    report = audit(run.path());
    EXPECT_EQ(report.exit_code(), 73) << left;
    EXPECT_THAT(report.wrong[0], AllOf(HasSubstr("was committed behind a line of SHA-256"),
                                       HasSubstr("lost lines at its end")));
  }
}

TEST(Audit, ATornLastLineIsToldAndProvesNothingWrong) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  const std::string good = read_file(run / "ledger.jsonl");
  write_file(run / "ledger.jsonl", good + "{\"code\":7");
  auto report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("line 15 has no end (9 bytes): half an append")));
  EXPECT_EQ(read_file(run / "ledger.jsonl").size(), good.size() + 9) << "an audit changes nothing";
  write_file(run / "ledger.jsonl", good + "{\"code\":7\n");
  report = audit(run.path());
  EXPECT_EQ(report.exit_code(), 73);
  EXPECT_THAT(report.wrong, ElementsAre(HasSubstr("line 15 is not JSON")));
}

TEST(Audit, CheckpointsThatAreNotThoseOfTheLedgerAreNamed) {
  const TemporaryFolder run;
  write_eventful_run(run.path());
  fs::copy(run / "checkpoints", run / "saved", fs::copy_options::recursive);
  forge(run.path(), 10, [](nlohmann::json& commit) { commit["manifest_sha256"] = std::string(64, 'a'); });
  EXPECT_THAT(audit(run.path()).wrong,
              Contains(HasSubstr("step-00000020 and line 10 (its COMMIT) disagree: the manifest's")));

  const TemporaryFolder other;
  write_eventful_run(other.path());
  const TemporaryFolder foreign;
  LedgerRun stranger(foreign.path());
  stranger.start(3, 101);
  stranger.commit(28, 0, true);
  write_file(other / "checkpoints/step-00000028/manifest.json",
             read_file(foreign / "checkpoints/step-00000028/manifest.json"));
  EXPECT_THAT(audit(other.path()).wrong,
              Contains(HasSubstr("step-00000028 and line 13 (its COMMIT) disagree")));
  fs::remove(other / "checkpoints/step-00000028/manifest.json");
  EXPECT_THAT(audit(other.path()).wrong, Contains(HasSubstr("step-00000028: ")));
  fs::remove_all(other / "checkpoints/step-00000028");
  const auto report = audit(other.path());
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_THAT(report.notes, Contains(HasSubstr("of step 28, is not on the disk")));
}

// A COMMIT that stands before the line that its checkpoint was committed behind.
TEST(Audit, ACheckpointFromTheFutureIsNamed) {
  const TemporaryFolder dir;
  LedgerRun run(dir.path());
  run.start(2, 100);
  run.commit(4, 0, true);
  auto text = checkpoint::read_ledger(dir.path());
  std::swap(text.digests[0], text.digests[1]);
  const auto disk = coordinator::audit_checkpoints(dir.path(), text, checkpoint::path_of(text.records));
  EXPECT_THAT(disk.wrong, ElementsAre(HasSubstr("it was committed behind line 2, which comes later")));
}

TEST(Audit, AnEmptyRunIsNoProof) {
  const TemporaryFolder dir;
  EXPECT_THROW(audit(dir.path()), CheckpointError);
  LedgerRun(dir.path()).start(2, 100);
  const auto report = audit(dir.path());
  EXPECT_EQ(report.exit_code(), 65);
  EXPECT_THAT(coordinator::audit_text(report),
              AllOf(HasSubstr("no step is committed yet"), HasSubstr("NOT PROVEN")));
}

}  // namespace
}  // namespace entrain::tests
