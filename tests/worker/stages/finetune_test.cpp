// finetune on ranks that are threads, over corpora made here.
#include "worker/stages/finetune.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "checkpoint/reader.hpp"
#include "tests/worker/stages/small_study.hpp"
#include "worker/stages/pretrain.hpp"
#include "worker/stages/stop_signal.hpp"

namespace entrain::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using worker::finetune;
using worker::pretrain;

constexpr const char* kLinear = "finetune.mode=linear";

TEST(Finetune, LinearProbeHasTheSameBitsOnAnyNumberOfRanks) {
  const SmallStudy study;
  for (const int ranks : {1, 2, 3})
    ASSERT_EQ(study.run(finetune, study.config("r" + std::to_string(ranks), {kLinear}), ranks), 0);
  EXPECT_EQ(study.weights("r1"), study.weights("r2"));
  EXPECT_EQ(study.weights("r1"), study.weights("r3"));
  EXPECT_EQ(study.metrics("r1"), study.metrics("r3"));
  EXPECT_EQ(study.metrics("r1").at("trials").size(), 7U);
  // Control: other images, other bits.
  ASSERT_EQ(study.run(finetune, study.config("other", {kLinear, "finetune.label_fraction=0.5"})), 0);
  EXPECT_NE(study.weights("r1"), study.weights("other"));
}

TEST(Finetune, AllWeightsHaveTheSameBitsOnAnyNumberOfRanks) {
  const SmallStudy study;
  const auto config = [&](const std::string& run) {
    return study.config(run, {"train.steps=3", "finetune.eval_every=1", "finetune.lr=0.003,0.01"});
  };
  for (const int ranks : {1, 2, 3})
    ASSERT_EQ(study.run(finetune, config("r" + std::to_string(ranks)), ranks), 0);
  EXPECT_EQ(study.weights("r1"), study.weights("r2"));
  EXPECT_EQ(study.weights("r1"), study.weights("r3"));
  EXPECT_EQ(study.metrics("r1"), study.metrics("r3"));
  EXPECT_EQ(study.metrics("r1").at("trials").size(), 6U);  // two rates, three looks each
}

// A run's selection must be reproducible from what it wrote down, and by validation alone.
TEST(Finetune, TheBestOnValidationWins) {
  const SmallStudy study;
  ASSERT_EQ(study.run(finetune,
                      study.config("r", {"train.steps=6", "finetune.eval_every=2", "finetune.lr=1e-9,0.02"})),
            0);
  const auto metrics = study.metrics("r");
  const auto& trials = metrics.at("trials");
  ASSERT_EQ(trials.size(), 6U);
  const auto best = *std::max_element(trials.begin(), trials.end(), [](const auto& a, const auto& b) {
    return a.at("auc").template get<double>() < b.at("auc").template get<double>();
  });
  const double worst = (*std::min_element(trials.begin(), trials.end(), [](const auto& a, const auto& b) {
                         return a.at("auc").template get<double>() < b.at("auc").template get<double>();
                       })).at("auc");
  ASSERT_GT(best.at("auc").get<double>(), worst) << "equal candidates would prove nothing";
  EXPECT_EQ(metrics.at("chosen").at("lr"), best.at("lr"));
  EXPECT_EQ(metrics.at("chosen").at("step"), best.at("step"));
  EXPECT_EQ(metrics.at("validation").at("auc"), best.at("auc"));
}

TEST(Finetune, EveryRateBeginsAtTheSameStart) {
  const SmallStudy study;
  const auto trials = [&](const std::string& run, const std::string& grid) {
    EXPECT_EQ(study.run(finetune, study.config(run, {"finetune.eval_every=1", "finetune.lr=" + grid})), 0);
    return study.metrics(run).at("trials");
  };
  const auto both = trials("both", "0.05,0.01"), alone = trials("alone", "0.01");
  ASSERT_EQ(both.size(), 4U);
  EXPECT_EQ(both.at(2), alone.at(0));
  EXPECT_EQ(both.at(3), alone.at(1));
  EXPECT_NE(both.at(1).at("loss"), alone.at(1).at("loss")) << "rates that do the same would prove nothing";
}

TEST(Finetune, TestRowsChangeNothingAndValidationRowsDo) {
  const SmallStudy study;
  write_corpus(study / "test.h5", {.redraw_split = "test"});
  write_corpus(study / "val.h5", {.redraw_split = "val"});
  write_corpus(study / "train.h5", {.redraw_split = "train"});
  for (const std::string name : {"a", "test", "val", "train"})
    ASSERT_EQ(
        study.run(finetune, study.config("r-" + name, {kLinear, "data.files=" + (study / (name + ".h5"))})),
        0);
  EXPECT_EQ(study.weights("r-a"), study.weights("r-test"));
  EXPECT_EQ(study.metrics("r-a"), study.metrics("r-test"));
  EXPECT_NE(study.metrics("r-a").at("trials"), study.metrics("r-val").at("trials"));
  EXPECT_NE(study.weights("r-a"), study.weights("r-train"));
}

TEST(Finetune, AFractionIsOfPatientsAndNested) {
  const SmallStudy study;  // 24 patients of 36 train, 6 choose
  for (const std::string fraction : {"0.25", "0.5", "1"})
    ASSERT_EQ(
        study.run(finetune, study.config("f" + fraction, {kLinear, "finetune.label_fraction=" + fraction})),
        0);
  EXPECT_EQ(study.metrics("f0.25").at("train_groups"), 6);
  EXPECT_EQ(study.metrics("f0.5").at("train_groups"), 12);
  EXPECT_EQ(study.metrics("f1").at("train_groups"), 24);
  EXPECT_EQ(study.metrics("f0.5").at("train_images"), 24);
  EXPECT_EQ(study.metrics("f1").at("val_groups"), 6);
  const auto quarter = study.lineage("f0.25", "lineage.train_groups"),
             half = study.lineage("f0.5", "lineage.train_groups");
  EXPECT_EQ(quarter.size(), 6U + 6U);  // trained and chosen by
  EXPECT_EQ(half.size(), 12U + 6U);
  EXPECT_TRUE(std::includes(half.begin(), half.end(), quarter.begin(), quarter.end()));
  ASSERT_EQ(study.run(finetune,
                      study.config("again", {kLinear, "finetune.label_fraction=0.25", "finetune.repeat=1"})),
            0);
  EXPECT_NE(study.lineage("again", "lineage.train_groups"), quarter);
}

TEST(Finetune, FewerImagesThanLanesStillGiveEveryRankALane) {
  const SmallStudy study;
  const auto config = [&](const std::string& run) {
    return study.config(run, {"finetune.label_fraction=0.01", "batch.lanes=8", "finetune.lr=0.01"});
  };
  ASSERT_EQ(study.run(finetune, config("r1"), 1), 0);
  ASSERT_EQ(study.run(finetune, config("r3"), 3), 0);
  ASSERT_LT(study.metrics("r1").at("train_images").get<int>(), 8);
  EXPECT_EQ(study.weights("r1"), study.weights("r3"));
  EXPECT_THAT(study.refusal(finetune, study.config("r5", {"batch.lanes=2"}), 3),
              AllOf(StartsWith("78 "), HasSubstr("batch.lanes is 2")));
}

TEST(Finetune, SaysWhatACorpusLacks) {
  const SmallStudy study;
  write_corpus(study / "unlabelled.h5", {.labels = false});
  write_corpus(study / "unsplit.h5", {.splits = false});
  const auto refusal = [&](std::vector<std::string> overrides) {
    return study.refusal(finetune, study.config("r", std::move(overrides)), 2);
  };
  EXPECT_THAT(refusal({"data.files=" + (study / "unlabelled.h5")}),
              AllOf(StartsWith("65 "), HasSubstr("no label column"), HasSubstr("/group, /images, /split")));
  write_corpus(study / "latin1.h5", {.class_names = {"normal", "L\xE4sion"}});
  EXPECT_THAT(refusal({"data.files=" + (study / "latin1.h5")}),
              AllOf(StartsWith("65 "), HasSubstr("L\\xe4sion"), HasSubstr("not UTF-8")));
  EXPECT_THAT(refusal({"data.files=" + (study / "unsplit.h5")}),
              AllOf(StartsWith("65 "), HasSubstr("--make-split")));
  EXPECT_THAT(refusal({"finetune.val_split=dev"}),
              AllOf(StartsWith("65 "), HasSubstr("\"dev\""), HasSubstr("train (48"), HasSubstr("val (12")));
  EXPECT_THAT(refusal({"data.use_splits=train"}), AllOf(StartsWith("65 "), HasSubstr("data.use_splits")));
  EXPECT_THAT(refusal({"finetune.val_split=train"}), StartsWith("64 "));
  EXPECT_THAT(refusal({"finetune.mode=linear", "finetune.l2=0"}), StartsWith("64 "));
  EXPECT_THAT(refusal({"init.from=" + (study / "nothing")}), StartsWith("73 "));
  EXPECT_FALSE(std::filesystem::exists((study / "r") + "/checkpoints/step-00000002"));
}

TEST(Finetune, AFinishedRunIsNotRepeatedAndNotMistakenForAnother) {
  const SmallStudy study;
  ASSERT_EQ(study.run(finetune, study.config("r", {kLinear})), 0);
  const std::string first = read_file((study / "r") + "/metrics.json");
  std::filesystem::remove((study / "r") + "/metrics.json");  // killed between commit and metrics
  ASSERT_EQ(study.run(finetune, study.config("r", {kLinear}), 2), 0);
  EXPECT_EQ(read_file((study / "r") + "/metrics.json"), first);
  EXPECT_THAT(study.refusal(finetune, study.config("r", {kLinear, "finetune.repeat=2"})),
              AllOf(StartsWith("73 "), HasSubstr("finetune.repeat was 0 and is 2")));
  write_corpus(study / "b.h5", {.seed = 2});
  EXPECT_THAT(study.refusal(finetune, study.config("r", {kLinear, "data.files=" + (study / "b.h5")})),
              AllOf(StartsWith("73 "), HasSubstr("data.files")));
}

TEST(Finetune, StartsFromAPretrainingAndCarriesItsLineage) {
  const SmallStudy study;
  ASSERT_EQ(study.run(pretrain, study.config("ssl", {"data.use_splits=train"})), 0);
  ASSERT_EQ(study.run(finetune, study.config("r", {kLinear, "init.from=" + (study / "ssl")})), 0);
  ASSERT_EQ(study.run(finetune, study.config("scratch", {kLinear})), 0);
  EXPECT_NE(study.weights("r"), study.weights("scratch"));
  EXPECT_EQ(study.metrics("r").at("init"), "pretrained");
  EXPECT_EQ(study.metrics("scratch").at("init"), "scratch");
  EXPECT_EQ(study.lineage("r", "lineage.pretrain_groups"), study.lineage("ssl", "lineage.pretrain_groups"));
  EXPECT_EQ(study.lineage("r", "lineage.pretrain_groups").size(), 24U);
  // A frozen encoder stays what it was.
  const auto dir_of = [&](const std::string& run) { return checkpoint::open_checkpoint(study / run).dir; };
  const checkpoint::CheckpointReader before(dir_of("ssl")), after(dir_of("r"));
  for (const std::string name : {"encoder.stem.conv.weight", "encoder.norm.bias"}) {
    const auto a = before.view(name), b = after.view(name);
    EXPECT_TRUE(std::equal(a.data, a.data + a.bytes(), b.data)) << name;
  }
  EXPECT_THAT(
      study.refusal(finetune, study.config("x", {"init.from=" + (study / "ssl"), "model.name=bit_r26x0.5"})),
      AllOf(StartsWith("73 "), HasSubstr("bit_r26x0.5"), HasSubstr("bit_r14x0.5")));
  write_corpus(study / "colour.h5", {.channels = 3});
  EXPECT_THAT(study.refusal(finetune, study.config("x", {"init.from=" + (study / "ssl"),
                                                         "data.files=" + (study / "colour.h5")})),
              AllOf(StartsWith("73 "), HasSubstr("1 channel"), HasSubstr("have 3")));
  EXPECT_THAT(study.refusal(finetune, study.config("ssl", {kLinear})),
              AllOf(StartsWith("73 "), HasSubstr("pretrain run")));
}

// At another hospital: the weights of the first fine-tuning go on, its classifier too, and both patient lists.
TEST(Finetune, ASecondFineTuningGoesOnFromTheFirst) {
  const SmallStudy study;
  write_corpus(study / "b.h5",
               {.patients = 24, .seed = 9, .prefix = "q", .class_names = {"finding", "normal"}});
  ASSERT_EQ(study.run(finetune, study.config("first", {"train.steps=4"})), 0);
  const auto second = [&](const std::string& run, const std::string& lr) {
    return study.config(run, {"data.files=" + (study / "b.h5"), "init.from=" + (study / "first"),
                              "optim.lr=" + lr, "train.steps=1"});
  };
  ASSERT_EQ(study.run(finetune, second("second", "1e-12"), 2), 0);  // hardly a step: what it starts from
  const auto weight_of = [&](const std::string& run) {
    const checkpoint::CheckpointReader reader(checkpoint::open_checkpoint(study / run).dir);
    const at::Tensor w = at::empty({2, 1024});
    reader.read("classifier.weight", static_cast<std::byte*>(w.mutable_data_ptr()), w.nbytes());
    return w;
  };
  const at::Tensor first = weight_of("first");
  ASSERT_GT(first.abs().max().item<double>(), 1e-5);
  EXPECT_TRUE(at::allclose(weight_of("second"), first.flip({0}), 1e-6, 1e-9))
      << "classes stand the other way round";
  EXPECT_EQ(study.lineage("second", "lineage.train_groups").size(),
            study.lineage("first", "lineage.train_groups").size() + 20U);
}

TEST(Finetune, ADivergingRateIsWrittenDownAndAnotherWins) {
  const SmallStudy study;
  // Decay alone multiplies every weight by -1e9 a step: soon beyond what a float holds.
  const std::vector<std::string> grid = {"train.steps=7", "finetune.eval_every=7", "optim.momentum=0",
                                         "optim.weight_decay=1000", "optim.exclude=none"};
  auto both = grid, bad = grid;
  both.push_back("finetune.lr=1e-5,1e6");
  bad.push_back("finetune.lr=1e6");
  bad[1] = "finetune.eval_every=1";  // looks that were fine do not save it
  ASSERT_EQ(study.run(finetune, study.config("both", both), 2), 0);
  EXPECT_EQ(study.metrics("both").at("chosen").at("lr"), 1e-5);
  EXPECT_TRUE(study.metrics("both").at("trials").back().contains("failed"));
  EXPECT_THAT(study.refusal(finetune, study.config("bad", bad), 2),
              AllOf(StartsWith("90 "), HasSubstr("norm of the gradient"), HasSubstr("finetune.lr")));
  EXPECT_FALSE(std::filesystem::exists((study / "bad") + "/metrics.json"));
}

// The flag of a signal stays raised, so this runs in a process of its own.
TEST(FinetuneDeathTest, AStopSignalEndsWith75AndLeavesNoResult) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto code_of = [](const char* mode) {
    const SmallStudy study;
    worker::install_stop_signals();
    std::raise(SIGUSR1);
    const std::string refusal = study.refusal(finetune, study.config("r", {mode, "train.steps=50"}), 2);
    const bool result = std::filesystem::exists((study / "r") + "/metrics.json") ||
                        !checkpoint::committed_steps(study / "r").empty();
    return result ? 1 : std::atoi(refusal.c_str());
  };
  EXPECT_EXIT(std::exit(code_of("finetune.mode=full")), ::testing::ExitedWithCode(75), "");
  EXPECT_EXIT(std::exit(code_of("finetune.mode=linear")), ::testing::ExitedWithCode(75), "");
}

}  // namespace
}  // namespace entrain::tests
