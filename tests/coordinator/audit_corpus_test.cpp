// The audit with the data at hand: patients left out, traced, kept apart in a batch.
#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "coordinator/commands.hpp"
#include "sharding/batch_classes.hpp"
#include "sharding/corpus.hpp"
#include "sharding/hdf5_writer.hpp"
#include "sharding/order_choice.hpp"
#include "tests/coordinator/audited_run.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

  // Of a corpus in slabs of 7 rows, of which 6 are open.
  sharding::PlanSettings windows_of(const sharding::Corpus& corpus) const {
    return {.num_samples = corpus.size(),
            .global_batch = 16,
            .seed = 7,
            .slabs = sharding::slab_settings(corpus, {{7}, 6}, LedgerRun::kLaneImages)};
  }
  void write_windowed_run() {
    facts_.rows_per_slab = {7};
    LedgerRun run(dir());
    run.start(2, windows_of(*corpus_), facts_);
    run.commit(10, 0);
    run.start(3, windows_of(*corpus_), facts_);
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

TEST_F(AuditOfCorpus, AmongOthersAGroupThatNobodyKnowsIsNamedAsUnknown) {
  write_run_with_exclusion();
  const auto report = audit(dir(), {"P7", "P500"});
  ASSERT_EQ(report.groups.size(), 2U);
  EXPECT_TRUE(report.groups[0].known);
  EXPECT_FALSE(report.groups[1].known);
  EXPECT_TRUE(report.groups[1].saw.empty());
  EXPECT_THAT(coordinator::audit_text(report), HasSubstr("group P500: not in the corpus"));
}

TEST_F(AuditOfCorpus, AGroupThatNobodyKnowsIsAnError) {
  write_run_with_exclusion();
  try {
    audit(dir(), {"P500"});
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

TEST_F(AuditOfCorpus, ARunInWindowsIsProvenWithTheSlabsItBeganWith) {
  write_windowed_run();
  const auto report = audit(dir());
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  EXPECT_EQ(report.checked_steps, 28);
  EXPECT_GE(report.plans[0].whole_epochs, 3);
}

TEST_F(AuditOfCorpus, ARunInWindowsWithPatientsLeftOutIsProven) {
  facts_.rows_per_slab = {7};
  auto less = write_withdrawn();
  less.rows_per_slab = {7};
  DataSection data = data_;
  data.exclude_groups = run_ / "withdrawn.txt";
  auto settings = windows_of(sharding::Corpus::open(data));
  EXPECT_NE(settings.slabs.ends[2], 21) << "else P7 was not missed";
  settings.first_step = 10, settings.first_epoch = 2;
  LedgerRun run(dir());
  run.start(2, windows_of(*corpus_), facts_);
  run.commit(10, 0);
  run.start(3, settings, less);
  run.commit(30, 10);
  const auto report = audit(dir(), {"P9"});
  EXPECT_EQ(report.exit_code(), 0) << coordinator::audit_text(report);
  EXPECT_EQ(report.checked_steps, 30);
}

TEST_F(AuditOfCorpus, OtherSlabsThanToldAreNamed) {
  write_windowed_run();
  const auto wrong_after = [&](const std::function<void(nlohmann::json&)>& change) {
    for (const std::size_t line : {1, 3})
      forge(dir(), line, [&](nlohmann::json& start) { change(start["plan"]["slabs"]); });
    const auto report = audit(dir());
    EXPECT_EQ(report.exit_code(), 73);
    return report.wrong;
  };
  const auto slabs = HasSubstr("line 1: START: its plan's slabs have digest ");
  EXPECT_THAT(wrong_after([](auto& told) { told["rows_per_slab"] = {8}; }), ElementsAre(slabs));
  EXPECT_THAT(wrong_after([](auto& told) { told["rows_per_slab"] = {7}, told["digest"] = "b0"; }),
              ElementsAre(slabs));
}

TEST_F(AuditOfCorpus, SlabsOfAnotherNumberOfFilesOrNoFilesAreNotChecked) {
  write_windowed_run();
  const auto unchecked = [&] {
    const auto report = audit(dir());
    EXPECT_EQ(report.exit_code(), 65);
    EXPECT_EQ(report.checked_steps, 0);
    return report.unchecked;
  };
  for (const std::size_t line : {1, 3})
    forge(dir(), line, [&](nlohmann::json& start) { start["plan"]["slabs"]["rows_per_slab"] = {7, 7}; });
  EXPECT_THAT(unchecked(), ElementsAre(HasSubstr("was made for 2 files, the corpus has 1")));
  fs::remove(file_);
  EXPECT_THAT(unchecked(), ElementsAre(HasSubstr("images.h5")));
}

TEST_F(AuditOfCorpus, OtherWindowsThanToldAreNamed) {
  write_windowed_run();
  for (const std::size_t line : {1, 3})
    forge(dir(), line, [&](nlohmann::json& start) { start["plan"]["slabs"]["open_slabs"] = 9; });
  EXPECT_THAT(audit(dir()).wrong, ElementsAre(HasSubstr("line 1: START: its plan's digest is ")));
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
