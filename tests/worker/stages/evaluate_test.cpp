// evaluate on ranks that are threads, over corpora and a fine-tuned run made here.
#include "worker/stages/evaluate.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "evaluation/predictions.hpp"
#include "sharding/corpus.hpp"
#include "tests/worker/models/plain_bit.hpp"
#include "tests/worker/stages/small_study.hpp"
#include "worker/stages/evaluate_model.hpp"
#include "worker/stages/finetune.hpp"
#include "worker/stages/pretrain.hpp"

namespace entrain::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using worker::evaluate;
using worker::finetune;

// A study with a fine-tuned run "f"; tests evaluate it on the split it has not seen.
class Evaluate : public ::testing::Test {
 protected:
  Evaluate() { study_.run(finetune, study_.config("f", {"finetune.mode=linear"})); }

  ResolvedConfig config(const std::string& run, std::vector<std::string> overrides = {}) const {
    overrides.insert(overrides.begin(), {"init.from=" + (study_ / "f"), "data.use_splits=test"});
    return study_.config(run, std::move(overrides));
  }
  int run(const ResolvedConfig& c, int ranks = 1) const {
    ::testing::internal::CaptureStdout();
    int code = -1;
    try {
      code = study_.run(evaluate, c, ranks);
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
    table_ = ::testing::internal::GetCapturedStdout();
    return code;
  }
  evaluation::Predictions predictions(const std::string& run) const {
    return evaluation::from_csv(read_file((study_ / run) + "/predictions.csv"), run);
  }

  SmallStudy study_;
  mutable std::string table_;
};

double plain_auc(const evaluation::Predictions& p) {  // over pairs
  double pairs = 0, right = 0;
  for (std::size_t i = 0; i < p.size(); ++i)
    for (std::size_t j = 0; j < p.size(); ++j) {
      if (p.label[i] != 1 || p.label[j] != 0) continue;
      const double a = double{p.logits[2 * i + 1]} - p.logits[2 * i],
                   b = double{p.logits[2 * j + 1]} - p.logits[2 * j];
      pairs += 1;
      right += a > b ? 1 : a == b ? 0.5 : 0;
    }
  return right / pairs;
}

TEST_F(Evaluate, WritesTheSameFilesOnAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 3}) ASSERT_EQ(run(config("e" + std::to_string(ranks)), ranks), 0);
  for (const std::string name : {"/metrics.json", "/predictions.csv"}) {
    EXPECT_EQ(read_file((study_ / "e1") + name), read_file((study_ / "e2") + name));
    EXPECT_EQ(read_file((study_ / "e1") + name), read_file((study_ / "e3") + name));
  }
}

TEST_F(Evaluate, ItsNumbersFollowFromItsPredictions) {
  ASSERT_EQ(run(config("e", {"evaluate.name=held out", "evaluate.specificity=0.5"})), 0);
  const auto p = predictions("e");
  const auto m = study_.metrics("e");
  ASSERT_EQ(p.size(), 12U);
  const double auc = plain_auc(p);
  EXPECT_DOUBLE_EQ(m.at("auc").get<double>(), auc);
  EXPECT_GT(auc, 0.5) << "bars that lie or stand should be told apart a little";
  EXPECT_LE(m.at("auc_ci").at(0), auc);
  EXPECT_GE(m.at("auc_ci").at(1), auc);
  EXPECT_EQ(m.at("n"), 12);
  EXPECT_EQ(m.at("groups"), 6);
  EXPECT_EQ(m.at("positives"), 6);
  EXPECT_EQ(m.at("name"), "held out");
  EXPECT_EQ(m.at("init"), "scratch");
  EXPECT_EQ(m.at("mode"), "linear");
  EXPECT_EQ(m.at("train_groups"), 24);
  EXPECT_EQ(m.at("train_images"), 48);
  EXPECT_EQ(m.at("leakage"), false);
  EXPECT_EQ(m.at("weights_digest"), study_.weights("f"));
  EXPECT_EQ(m.at("sensitivity_at").size(), 1U);
  EXPECT_EQ(m.at("per_class").at(1).at("name"), "finding");
  EXPECT_EQ(p.file.at(0), "a.h5");
  EXPECT_THAT(table_, AllOf(HasSubstr("held out: 12 images of 6 patients"), HasSubstr("AUC"),
                            Not(HasSubstr("LEAKAGE"))));
}

// The score of an image, by the network written down a second time, on pixels turned into numbers by hand.
TEST_F(Evaluate, AScoreIsThatOfTheNetworkOnTheWholeImage) {
  ASSERT_EQ(run(config("e"), 2), 0);
  const auto p = predictions("e");
  const ResolvedConfig c = config("e");
  const auto corpus = sharding::Corpus::open(c.config.data);
  const auto model = worker::open_evaluate_model(c, corpus);
  const auto& parameters = model.network->parameters;
  for (const std::int64_t i : {0, 7, 11}) {
    std::vector<std::byte> bytes(corpus.shape().bytes());
    corpus.read(i, bytes.data());
    std::vector<float> pixels;
    for (const std::byte b : bytes) pixels.push_back((static_cast<float>(b) / 255 - 0.5F) / 0.5F);
    const at::Tensor h =
        plain_bit(model.network->arch, parameters, "encoder.", at::tensor(pixels).view({1, 1, 32, 32})).h_NF;
    const at::Tensor logits =
        at::addmm(parameters["classifier.bias"], h, parameters["classifier.weight"].t());
    for (int k = 0; k < 2; ++k)
      EXPECT_NEAR(p.logits[2 * i + k], logits[0][k].item<float>(),
                  1e-3 * std::abs(p.logits[2 * i + k]) + 1e-4)
          << i;
  }
  EXPECT_GT(std::abs(p.logits[0] - p.logits[2 * 7]), 1e-3) << "equal scores would prove nothing";
}

TEST_F(Evaluate, RefusesPatientsItWasTunedOn) {
  for (const std::string split : {"train", "val"})
    EXPECT_THAT(
        study_.refusal(evaluate, config("e", {"data.use_splits=" + split}), 2),
        AllOf(StartsWith("65 "), HasSubstr("with their labels"), HasSubstr(split == "val" ? "p008" : "p000"),
              HasSubstr(split == "val" ? "6 patients (12 images)" : "24 patients (48 images)")));
  EXPECT_FALSE(std::filesystem::exists((study_ / "e") + "/metrics.json"));
  ASSERT_EQ(run(config("e", {"data.use_splits=val", "evaluate.allow_leakage=true"})), 0);
  EXPECT_EQ(study_.metrics("e").at("leakage"), true);
  EXPECT_EQ(study_.metrics("e").at("leakage_groups"), 6);
  EXPECT_EQ(study_.metrics("e").at("transductive_groups"), 0);
  EXPECT_THAT(table_, HasSubstr("LEAKAGE"));
  // The same names at another hospital: nobody can know that these are other people.
  write_corpus(study_ / "b.h5", {.seed = 8});
  EXPECT_THAT(
      study_.refusal(evaluate, config("x", {"data.files=" + (study_ / "b.h5"), "data.use_splits=train"})),
      HasSubstr("names of their own"));
  write_corpus(study_ / "b.h5", {.seed = 8, .prefix = "q"});
  EXPECT_EQ(run(config("x", {"data.files=" + (study_ / "b.h5"), "data.use_splits=train"})), 0);
}

TEST_F(Evaluate, RefusesPatientsThatOnlyPretrainingSaw) {
  ASSERT_EQ(study_.run(worker::pretrain, study_.config("ssl", {"train.steps=1"})), 0);  // every split
  ASSERT_EQ(
      study_.run(finetune, study_.config("f2", {"finetune.mode=linear", "init.from=" + (study_ / "ssl")})),
      0);
  const auto on = [&](std::vector<std::string> more) {
    more.push_back("init.from=" + (study_ / "f2"));
    return config("e", std::move(more));
  };
  EXPECT_THAT(study_.refusal(evaluate, on({})),
              AllOf(StartsWith("65 "), HasSubstr("without labels"), Not(HasSubstr("with their labels"))));
  ASSERT_EQ(run(on({"evaluate.allow_leakage=true"})), 0);
  EXPECT_EQ(study_.metrics("e").at("leakage"), true);
  EXPECT_EQ(study_.metrics("e").at("leakage_groups"), 0);
  EXPECT_EQ(study_.metrics("e").at("transductive_groups"), 6);
}

TEST_F(Evaluate, ClassesAreMatchedByNameNotByNumber) {
  write_corpus(study_ / "turned.h5", {.class_names = {"finding", "normal"}});
  write_corpus(study_ / "others.h5", {.class_names = {"cat", "dog"}});
  ASSERT_EQ(run(config("e")), 0);
  ASSERT_EQ(run(config("turned", {"data.files=" + (study_ / "turned.h5")})), 0);
  const auto a = predictions("e"), b = predictions("turned");
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.logits, b.logits);
  EXPECT_EQ(study_.metrics("e").at("auc"), study_.metrics("turned").at("auc"));
  ASSERT_NE(study_.metrics("e").at("auc").get<double>(), 0.5)
      << "a mapping the wrong way round would not show";
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"data.files=" + (study_ / "others.h5")})),
              AllOf(StartsWith("65 "), HasSubstr("cat, dog"), HasSubstr("normal, finding")));
}

TEST_F(Evaluate, SizeAndModelAreTheCheckpoints) {
  ResolvedConfig silent = config("e");  // neither key is set by anybody
  for (const char* key : {"views.crop_pixels", "model.name"}) silent.origins[key] = "default";
  silent.config.views.crop_pixels = 224;
  silent.config.model.name = "bit_r50x1";
  ASSERT_EQ(run(silent), 0);
  ASSERT_EQ(run(config("said")), 0);
  EXPECT_EQ(read_file((study_ / "e") + "/predictions.csv"),
            read_file((study_ / "said") + "/predictions.csv"));
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"views.crop_pixels=48"})),
              AllOf(StartsWith("73 "), HasSubstr("48"), HasSubstr("32 pixels"), HasSubstr("command line")));
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"model.name=bit_r26x0.5"})),
              AllOf(StartsWith("73 "), HasSubstr("bit_r26x0.5"), HasSubstr("bit_r14x0.5")));
  ASSERT_EQ(run(config("window", {"data.window_high=128"})), 0);  // another scanner's range: the user's word
  EXPECT_NE(read_file((study_ / "e") + "/predictions.csv"),
            read_file((study_ / "window") + "/predictions.csv"));
}

TEST_F(Evaluate, OnlyTheSameEvaluationMayReplaceItself) {
  ASSERT_EQ(run(config("e")), 0);
  const std::string first = read_file((study_ / "e") + "/metrics.json");
  ASSERT_EQ(run(config("e"), 2), 0);
  EXPECT_EQ(read_file((study_ / "e") + "/metrics.json"), first);
  write_corpus(study_ / "b.h5", {.seed = 8, .prefix = "q"});
  const std::string csv = read_file((study_ / "e") + "/predictions.csv");
  EXPECT_THAT(
      study_.refusal(evaluate, config("e", {"data.files=" + (study_ / "b.h5")}), 2),
      AllOf(StartsWith("73 "), HasSubstr("holds another evaluation (\"a\""), HasSubstr("corpus_digest")));
  ASSERT_EQ(
      study_.run(finetune, study_.config("g", {"finetune.mode=linear", "finetune.repeat=1", "run.seed=6"})),
      0);
  EXPECT_THAT(study_.refusal(evaluate, config("e", {"init.from=" + (study_ / "g")})),
              AllOf(StartsWith("73 "), HasSubstr("weights_digest")));
  EXPECT_THAT(study_.refusal(evaluate, config("f")),
              AllOf(StartsWith("73 "), HasSubstr("holds a finetune run")));
  EXPECT_EQ(read_file((study_ / "e") + "/metrics.json"), first);
  EXPECT_EQ(read_file((study_ / "e") + "/predictions.csv"), csv);
  std::filesystem::create_directory(study_ / "mine");
  write_file((study_ / "mine") + "/predictions.csv", "mine");
  EXPECT_THAT(study_.refusal(evaluate, config("mine")),
              AllOf(StartsWith("73 "), HasSubstr("predictions.csv")));
  EXPECT_EQ(read_file((study_ / "mine") + "/predictions.csv"), "mine");
}

TEST_F(Evaluate, AClassWithoutImagesIsSaidAndNotANumber) {
  write_corpus(study_ / "all.h5", {.prefix = "q", .only_class = "finding"});
  ::testing::internal::CaptureStderr();
  const int code = run(config("e", {"data.files=" + (study_ / "all.h5")}));
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_EQ(code, 0) << log;
  EXPECT_TRUE(study_.metrics("e").at("auc").is_null());
  EXPECT_GT(study_.metrics("e").at("n"), 0);
  EXPECT_THAT(table_, HasSubstr("n/a: no image of class normal to compare with"));
  EXPECT_THAT(table_, Not(HasSubstr("(n/a")));
  EXPECT_THAT(log, AllOf(HasSubstr("is of class normal"), HasSubstr("there is none")));
}

TEST_F(Evaluate, NamesThatNoJsonCanHoldAreRefusedBeforeWork) {
  write_corpus(study_ / "caf\xE9.h5", {.prefix = "q"});
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"data.files=" + (study_ / "caf*.h5")}), 2),
              AllOf(StartsWith("64 evaluate.name: "), HasSubstr("caf\\xe9")));
  EXPECT_EQ(run(config("x", {"data.files=" + (study_ / "caf*.h5"), "evaluate.name=coffee"})), 0);
}

TEST_F(Evaluate, SaysWhatIsMissing) {
  ASSERT_EQ(study_.run(worker::pretrain, study_.config("ssl", {"train.steps=1", "data.use_splits=train"})),
            0);
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"init.from=" + (study_ / "ssl")}), 2),
              AllOf(StartsWith("73 "), HasSubstr("no classifier"), HasSubstr("entrain finetune")));
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"init.from=scratch"})), StartsWith("64 "));
  write_corpus(study_ / "unlabelled.h5", {.labels = false});
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"data.files=" + (study_ / "unlabelled.h5")})),
              AllOf(StartsWith("65 "), HasSubstr("no label column")));
  write_corpus(study_ / "colour.h5", {.channels = 3});
  EXPECT_THAT(study_.refusal(evaluate, config("x", {"data.files=" + (study_ / "colour.h5")})),
              StartsWith("73 "));
}

}  // namespace
}  // namespace entrain::tests
