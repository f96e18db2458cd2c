// The audit: what a run's ledger proves, and that nothing else passes for it.
#include "coordinator/audit.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "coordinator/audit_batches.hpp"
#include "coordinator/audit_checkpoints.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/epoch_marks.hpp"
#include "sharding/batch_classes.hpp"
#include "sharding/corpus.hpp"
#include "sharding/hdf5_writer.hpp"
#include "tests/coordinator/ledger_run.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using coordinator::audit_run;
using coordinator::AuditReport;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

AuditReport audit(const std::string& run, const std::vector<std::string>& groups = {}) {
  return audit_run({.run = run, .groups = groups, .threads = 2});
}

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

// The same ledger with one record changed, its chain made good again: what a liar would write.
void forge(const std::string& run, std::size_t line, const std::function<void(nlohmann::json&)>& change) {
  auto records = checkpoint::read_ledger(run).records;
  change(records[line - 1]);
  fs::remove(run + "/ledger.jsonl");
  checkpoint::Ledger ledger(run);
  for (const auto& record : records) ledger.append(record);
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
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["generation"] = 5; }),
              Contains(HasSubstr("begins generation 5 after generation 1")));
  EXPECT_THAT(said(10, [](nlohmann::json& c) { c.erase("span"); }),
              Contains(HasSubstr("line 10: COMMIT of step 20: it has no span")));
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["lane_images"] = 8; }),
              Contains(HasSubstr("are not a global batch of 16")));
  EXPECT_THAT(said(8, [](nlohmann::json& c) { c["plan"].erase("num_samples"); }),
              Contains(HasSubstr("line 8: START")));
}

// Numbers of the epochs are only worth something if marks that come twice are seen.
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

// A corpus of 100 images of 50 patients, P0 to P49; images 2i and 2i + 1 are of Pi, and two of different patients are
// equal. The run's configuration names it.
class AuditOfCorpus : public ::testing::Test {
 protected:
  AuditOfCorpus() {
    fs::create_directories(run_ / "run");
    write_corpus(100);
    const auto resolved = read_run_config("", {"data.files=" + file_, "run.dir=" + dir()});
    write_file(dir() + "/config.resolved.yaml", resolved.yaml());
    data_ = resolved.config.data;
    corpus_.emplace(sharding::Corpus::open(data_));
    facts_.corpus_digest = corpus_->digest();
    facts_.data_files = {file_};
  }
  std::string dir() const { return run_ / "run"; }

  void write_corpus(std::int64_t rows) {
    sharding::Hdf5Writer writer(file_, true);
    writer.create_images("/images", {.height = 4, .width = 4, .channels = 1}, rows,
                         sharding::Hdf5Writer::Storage::kContiguous);
    std::vector<std::string> groups;
    for (std::int64_t row = 0; row < rows; ++row) {
      std::array<std::byte, 16> image{};
      for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<std::byte>(13 * (row == 31 ? 8 : row) + static_cast<std::int64_t>(i) * 7);
      writer.append_images(image.data(), 1);
      groups.push_back(cat('P', row / 2));
    }
    writer.texts("/group", groups);
    writer.commit();
  }

  // P7 and P9 withdraw: what a START then says.
  LedgerRun::Facts write_withdrawn() {
    LedgerRun::Facts less = facts_;
    write_file(run_ / "withdrawn.txt", "P7\nP9\n");
    DataSection data = data_;
    data.exclude_groups = run_ / "withdrawn.txt";
    const auto excluded = sharding::Corpus::open(data).excluded();
    less.left_out_sha256 = excluded.sha256;
    less.images_left_out = excluded.images;
    for (const std::uint64_t group : excluded.groups) {
      char hash[17];
      std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(group));
      less.left_out.emplace_back(hash);
    }
    return less;
  }

  // Steps 1 to 10 with all patients, 11 to 25 without P7 and P9.
  void write_run_with_exclusion() {
    LedgerRun run(dir());
    run.start(2, {.num_samples = 100, .global_batch = 16, .seed = 7}, facts_);
    run.commit(1, 0);
    run.commit(5, 1);
    run.commit(10, 5);
    run.start(3, without_two_, write_withdrawn());
    run.commit(22, 10);
    run.commit(25, 22, true);
  }

  std::vector<std::uint32_t> classes() const {
    return sharding::batch_classes(*corpus_, sharding::content_hashes(*corpus_, 0, corpus_->size()));
  }
  void write_forbid_run() {
    facts_.same_group = "forbid";
    LedgerRun run(dir());
    run.start(2, {.num_samples = 100, .global_batch = 16, .seed = 7, .classes = classes()}, facts_);
    run.commit(10, 0);
    run.start(3, {.num_samples = 100, .global_batch = 16, .seed = 7, .classes = classes()}, facts_);
    run.commit(28, 10);
  }

  const sharding::PlanSettings without_two_{
      .num_samples = 96, .global_batch = 16, .seed = 7, .classes = {}, .first_step = 10, .first_epoch = 2};
  TemporaryFolder run_;
  std::string file_ = run_ / "images.h5";
  DataSection data_;
  std::optional<sharding::Corpus> corpus_;
  LedgerRun::Facts facts_;
};

TEST_F(AuditOfCorpus, PatientsLeftOutCutAnEpochAndBeginAPlan) {
  write_run_with_exclusion();
  const auto report = audit(dir());
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  ASSERT_EQ(report.plans.size(), 2U);
  EXPECT_EQ(report.plans[0].last, 10);
  EXPECT_EQ(report.plans[0].whole_epochs, 1);
  ASSERT_EQ(report.plans[0].open.size(), 1U);
  EXPECT_TRUE(report.plans[0].open[0].cut);
  EXPECT_EQ(report.plans[0].open[0].missing.size(), 40U);
  EXPECT_EQ(report.plans[1].first, 11);
  EXPECT_EQ(report.plans[1].images_left_out, 4);
  EXPECT_EQ(report.plans[1].whole_epochs, 2);
  ASSERT_EQ(report.plans[1].open.size(), 1U);
  EXPECT_EQ(report.plans[1].open[0].seen, 48);
  EXPECT_THAT(coordinator::audit_text(report), HasSubstr("epoch 1 cut: 60 of 100"));
}

TEST_F(AuditOfCorpus, OtherPatientsThanToldAreNamed) {
  write_run_with_exclusion();
  fs::remove_all(dir() + "/checkpoints");
  forge(dir(), 5, [](nlohmann::json& start) { start["plan"]["excluded"]["sha256"] = std::string(64, 'b'); });
  EXPECT_THAT(
      audit(dir()).wrong,
      ElementsAre(HasSubstr("line 5: START: its plan leaves out 4 images of groups of SHA-256 \"bb")));
}

// What the plan says when it is asked step by step.
std::pair<std::int64_t, std::int64_t> first_seen(const sharding::PlanSettings& settings, std::int64_t a,
                                                 std::int64_t b) {
  const sharding::SamplePlan plan(settings);
  for (std::int64_t step = settings.first_step; step < 1000; ++step)
    for (const auto& slot : plan.batch(step))
      if (slot.sample == a || slot.sample == b) return {step + 1, slot.epoch};
  return {};
}

TEST_F(AuditOfCorpus, AGroupIsTracedThroughPlansAndCheckpoints) {
  write_run_with_exclusion();
  const auto report = audit(dir(), {"P7", "P30"});
  EXPECT_EQ(report.exit_code(), 0);
  ASSERT_EQ(report.groups.size(), 2U);
  const sharding::PlanSettings all{.num_samples = 100, .global_batch = 16, .seed = 7};

  const auto& gone = report.groups[0];
  EXPECT_EQ(gone.rows, 2);
  const auto [step, epoch] = first_seen(all, 14, 15);
  ASSERT_GT(step, 1) << "else no checkpoint did not see it";
  EXPECT_EQ(gone.plans[0].first_step, step);
  EXPECT_EQ(gone.plans[0].first_epoch, epoch);
  EXPECT_EQ(gone.plans[1].rows, 0);
  EXPECT_EQ(gone.plans[1].times, 0);
  EXPECT_EQ(gone.excluded_line, 5U);
  EXPECT_THAT(gone.did_not, ElementsAre(0U));
  EXPECT_THAT(gone.saw, ElementsAre(1U, 2U, 3U, 4U)) << "weights that saw a patient have seen him for ever";

  const auto& stays = report.groups[1];
  // Two patients of two images before it are gone, so its samples are 4 lower.
  EXPECT_EQ(stays.plans[1].first_step, first_seen(without_two_, 56, 57).first);
  EXPECT_EQ(stays.plans[1].rows, 2);
  EXPECT_GE(stays.plans[1].times, 4);
  EXPECT_EQ(stays.excluded_line, 0U);
  const std::string text = coordinator::audit_text(report);
  EXPECT_THAT(
      text, AllOf(HasSubstr("group P7: 2 images in the corpus"), HasSubstr("left out by the START in line 5"),
                  HasSubstr("on the disk step-00000025")));
  EXPECT_EQ(coordinator::audit_json(report)["groups"][0]["left_out_by_line"], 5);
}

TEST_F(AuditOfCorpus, ACheckpointThatWasUndoneBeforeItSawAGroupDidNotSeeIt) {
  const sharding::PlanSettings all{.num_samples = 100, .global_batch = 16, .seed = 7};
  const auto step = first_seen(all, 14, 15).first;
  LedgerRun run(dir());
  run.start(2, all, facts_);
  run.commit(step, 0);
  run.ledger().append({{"kind", "BAD"}, {"step", step}, {"reason", "x"}});
  run.commit(step - 1, 0);
  const auto report = audit(dir(), {"P7"});
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_THAT(report.groups[0].saw, ElementsAre(0U));
  EXPECT_THAT(report.groups[0].did_not, ElementsAre(1U));
  EXPECT_EQ(report.groups[0].plans[0].times, 0) << "on the path that counts";
}

TEST_F(AuditOfCorpus, AGroupThatNobodyKnowsIsAnError) {
  write_run_with_exclusion();
  try {
    audit(dir(), {"P7", "P500"});
    FAIL();
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("no group \"P500\""), HasSubstr("(it has 50, such as \"P0\")")));
  }
}

TEST_F(AuditOfCorpus, SameGroupForbidIsProvenWithTheClassesOfTheData) {
  write_forbid_run();
  const auto report = audit(dir());
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  EXPECT_EQ(report.checked_steps, 28);
  EXPECT_GE(report.plans[0].whole_epochs, 3);
}

TEST_F(AuditOfCorpus, WithoutTheDataNothingIsClaimed) {
  write_forbid_run();
  fs::rename(file_, file_ + ".away");
  auto report = audit(dir());
  EXPECT_EQ(report.exit_code(), 65);
  EXPECT_EQ(report.checked_steps, 0);
  EXPECT_THAT(report.unchecked, ElementsAre(AllOf(HasSubstr("every batch under the plan of line 1: "),
                                                  HasSubstr("images.h5"))));
  EXPECT_THAT(coordinator::audit_text(report), AllOf(HasSubstr("not checked"), HasSubstr("NOT PROVEN")));

  write_corpus(98);
  EXPECT_THAT(audit(dir()).unchecked, ElementsAre(HasSubstr("the data files are not those of the run")));

  fs::remove(dir() + "/ledger.jsonl");
  fs::rename(file_ + ".away", file_);
  facts_.same_group = "allow";
  write_run_with_exclusion();
  fs::remove(file_);
  report = audit(dir());
  EXPECT_EQ(report.exit_code(), 65);
  EXPECT_EQ(report.checked_steps, 25) << "the order does not need the images";
  EXPECT_THAT(report.unchecked, ElementsAre(HasSubstr("the images left out by the plan of line 5: ")));
}

TEST_F(AuditOfCorpus, DataThatMovedAreFoundWhereTheLastStartReadThem) {
  const std::string old = file_;
  file_ = run_ / "moved.h5";
  fs::rename(old, file_);
  facts_.data_files = {file_};
  write_forbid_run();
  EXPECT_EQ(audit(dir()).exit_code(), 0);
}

TEST_F(AuditOfCorpus, ForbidWithPatientsLeftOutIsProven) {
  facts_.same_group = "forbid";
  const auto less = write_withdrawn();
  DataSection data = data_;
  data.exclude_groups = run_ / "withdrawn.txt";
  const auto rest = sharding::Corpus::open(data);
  auto settings = without_two_;
  settings.classes = sharding::batch_classes(rest, sharding::content_hashes(rest, 0, rest.size()));
  LedgerRun run(dir());
  run.start(2, {.num_samples = 100, .global_batch = 16, .seed = 7, .classes = classes()}, facts_);
  run.commit(10, 0);
  run.start(3, settings, less);
  run.commit(30, 10);
  const auto report = audit(dir(), {"P9"});
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  EXPECT_EQ(report.checked_steps, 30);
  EXPECT_EQ(report.plans[1].whole_epochs + static_cast<std::int64_t>(report.plans[1].open.size()), 4);
  EXPECT_EQ(report.groups[0].plans[1].rows, 0);
}

TEST_F(AuditOfCorpus, APlanThatBeginsElsewhereThanItRulesIsNamed) {
  LedgerRun run(dir());
  run.start(2, {.num_samples = 100, .global_batch = 16, .seed = 7}, facts_);
  run.commit(10, 0);
  run.commit(11, 10);
  run.start(3, without_two_, write_withdrawn());
  run.commit(14, 11);
  EXPECT_THAT(audit(dir()).wrong,
              ElementsAre(HasSubstr("line 4: START: its plan begins at step 11 but rules from step 12 on")));
}

TEST_F(AuditOfCorpus, AnotherPlanForTheSamePatientsIsNamed) {
  LedgerRun run(dir());
  run.start(2, {.num_samples = 100, .global_batch = 16, .seed = 7}, facts_);
  run.commit(5, 0);
  run.start(
      2,
      {.num_samples = 100, .global_batch = 16, .seed = 7, .classes = {}, .first_step = 5, .first_epoch = 1},
      facts_);
  run.commit(9, 5);
  EXPECT_THAT(audit(dir()).wrong,
              ElementsAre(HasSubstr("line 3: START: another plan than line 1 has, though the same groups")));
}

struct Ran {
  int code = 0;
  std::string out;
};
Ran command(const std::vector<std::string>& args) {
  ::testing::internal::CaptureStdout();
  try {
    const int code = coordinator::audit_command(args);
    return {code, ::testing::internal::GetCapturedStdout()};
  } catch (...) {
    ::testing::internal::GetCapturedStdout();
    throw;
  }
}

TEST_F(AuditOfCorpus, TheCommandReadsGroupsFromAFileAndPrintsJson) {
  write_run_with_exclusion();
  write_file(run_ / "ids.txt", "P7\r\n\n P9 \n");
  const auto ran =
      command({dir(), "--groups", run_ / "ids.txt", "--group", "P9", "--group", "P30", "--json"});
  EXPECT_EQ(ran.code, 0);
  const auto json = nlohmann::json::parse(ran.out);
  ASSERT_EQ(json["groups"].size(), 3U);
  EXPECT_EQ(json["groups"][2]["group"], "P7");
  EXPECT_THAT(command({dir()}).out, HasSubstr("\nproven: "));
  EXPECT_THROW(command({dir(), "--groups", run_ / "none.txt"}), DataError);
  EXPECT_THROW(command({}), ConfigError);
}

}  // namespace
}  // namespace entrain::tests
