#include "evaluation/summary.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "configs/error.hpp"
#include "evaluation/auc.hpp"
#include "evaluation/decisions.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using evaluation::Predictions;

Predictions predictions_of(const nlohmann::json& c) {
  Predictions p;
  p.classes = c["classes"];
  p.label = c["label"].get<std::vector<std::int64_t>>();
  p.logits = c["logits"].get<std::vector<float>>();
  for (std::size_t i = 0; i < p.size(); ++i) {
    p.file.push_back(i % 2 == 0 ? "a.h5" : "a \"b\", c.h5");
    p.row.push_back(static_cast<std::int64_t>(i));
    p.group.push_back("P" + c["group"][i].dump());
  }
  return p;
}

// Made by tests/reference/evaluation_cases.py with scikit-learn 1.9.0.
nlohmann::json reference_cases() {
  return nlohmann::json::parse(
      read_file(ENTRAIN_SOURCE_DIR "/tests/reference/evaluation_cases.json"))["cases"];
}

TEST(Summary, EqualsScikitLearnAndThePapersFormulas) {
  int binary = 0, many = 0;
  const auto cases = reference_cases();
  for (const auto& c : cases) {
    const auto got = evaluation::summarize(predictions_of(c), {0.5, 0.8, 0.9, 0.95});
    for (const char* key : {"auc", "accuracy", "balanced_accuracy", "brier"})
      EXPECT_NEAR(got[key].get<double>(), c[key].get<double>(), 2e-7) << key;  // logits are floats
    EXPECT_NEAR(got["auc"].get<double>(), c["auc"].get<double>(), 1e-12);
    ++(c["classes"] == 2 ? binary : many);
    if (c["classes"] != 2) {
      EXPECT_EQ(got["auc_classes"], c["classes"]);
      EXPECT_LT(got["auc_ci"][0], got["auc"]);
      continue;
    }
    EXPECT_NEAR(std::pow(got["auc_se"].get<double>(), 2), c["clustered_variance"].get<double>(), 1e-13);
    ASSERT_GT(c["clustered_variance"].get<double>(), 1e-5);
    const auto sensitivity = got["sensitivity_at"];
    ASSERT_EQ(sensitivity.size(), 4U);
    for (const auto& s : sensitivity) {
      const auto percent = std::to_string(std::lround(100 * s["specificity"].get<double>()));
      EXPECT_EQ(s["sensitivity"], c["sensitivity_at"][percent]) << percent;
    }
  }
  EXPECT_EQ(binary, 7);
  EXPECT_EQ(many, 2);
}

TEST(Summary, DelongOfTheSameCases) {
  const auto cases = reference_cases();
  int seen = 0;
  for (const auto& c : cases) {
    if (c["classes"] != 2) continue;
    const auto p = predictions_of(c);
    std::vector<std::uint8_t> positive(p.label.begin(), p.label.end());
    EXPECT_NEAR(evaluation::delong(evaluation::one_against_rest(p, 1), positive).variance,
                c["delong_variance"].get<double>(), 1e-13);
    ++seen;
  }
  EXPECT_EQ(seen, 7);
}

TEST(Summary, MacroIntervalOfTwoClassesIsTheBinaryOneUpToSmallSamples) {
  auto c = reference_cases()[6];
  const auto p = predictions_of(c);
  std::vector<std::vector<double>> score;
  std::vector<std::vector<std::uint8_t>> positive(2, std::vector<std::uint8_t>(p.size()));
  for (int k = 0; k < 2; ++k) score.push_back(evaluation::one_against_rest(p, k));
  for (std::size_t i = 0; i < p.size(); ++i) positive[p.label[i]][i] = 1;
  int defined = 0;
  const auto macro = evaluation::macro_auc(score, positive, p.group_ids(), defined);
  EXPECT_EQ(defined, 2);
  EXPECT_NEAR(macro.auc, c["auc"].get<double>(), 1e-12);
  EXPECT_NEAR(macro.variance / c["clustered_variance"].get<double>(), 1, 0.05);
}

TEST(Summary, WhatIsUndefinedIsNull) {
  Predictions p;
  p.file = {"a", "a"};
  p.row = {0, 1};
  p.group = {"", ""};
  p.label = {1, 1};
  p.logits = {0, 1, 0, 2};
  const auto got = evaluation::summarize(p, {0.8});
  EXPECT_TRUE(got["auc"].is_null());
  EXPECT_TRUE(got["auc_ci"][0].is_null());
  EXPECT_TRUE(got["sensitivity_at"][0]["sensitivity"].is_null());
  EXPECT_EQ(got["accuracy"], 1.0);
  EXPECT_EQ(got["groups"], 2) << "no groups known: every row its own";
  p.logits[0] = NAN;
  EXPECT_THROW(evaluation::summarize(p, {0.8}), DataError);
  p.logits[0] = 0;
  p.label[0] = 2;
  EXPECT_THROW(evaluation::summarize(p, {0.8}), DataError);
}

TEST(Decisions, SensitivityAtSpecificityCountsInIntegers) {
  const std::vector<std::uint8_t> y = {1, 1, 1, 1, 0, 0, 0, 0, 0, 1};
  const std::vector<double> a = {.9, .8, .5, .4, .5, .3, .2, .1, .4, .7};
  EXPECT_DOUBLE_EQ(evaluation::sensitivity_at(a, y, 0.8), 0.8)
      << "one of five may be wrong: .5 catches .9 .8 .7 .5";
  for (const double s : {0.9, 1.0}) EXPECT_DOUBLE_EQ(evaluation::sensitivity_at(a, y, s), 0.6) << s;
  // Five negatives, one of which may be called positive at 0.8: `fpr <= 1 - 0.8` in floating point would miss it.
  const std::vector<double> b = {.9, .8, .6, .6, .7, .3, .2, .1, .4, .65};
  EXPECT_DOUBLE_EQ(evaluation::sensitivity_at(b, y, 0.8), 1.0);
  EXPECT_DOUBLE_EQ(evaluation::sensitivity_at(b, y, 0.81), 0.4);
  const double threshold = evaluation::threshold_at(b, y, 0.8);
  EXPECT_DOUBLE_EQ(threshold, 0.6);
  const auto frozen = evaluation::operate(a, y, threshold);
  EXPECT_DOUBLE_EQ(frozen.sensitivity, 0.6);
  EXPECT_DOUBLE_EQ(frozen.specificity, 1.0);
}

TEST(Decisions, AConstantModelIsNeverRight) {
  const std::vector<float> logits(12, 0.5F);
  const auto counts = evaluation::right_by_class(logits, std::vector<std::int64_t>{0, 1, 2, 0}, 3);
  EXPECT_EQ(evaluation::accuracy(counts), 0);
  EXPECT_EQ(evaluation::balanced_accuracy(counts), 0);
  EXPECT_EQ(counts[0].rows, 2);
}

TEST(Predictions, CsvKeepsEveryFloatAndEveryName) {
  Predictions p = predictions_of(reference_cases()[1]);
  p.group[0] = "line\nend, \"quoted\"";
  p.logits[0] = 1e-38F;
  p.logits[1] = 16777217.0F;
  p.logits[2] = -0.1F;
  const std::string csv = evaluation::to_csv(p);
  EXPECT_THAT(csv, ::testing::StartsWith(
                       "file,row,group,label,score_0,score_1\na.h5,0,\"line\nend, \"\"quoted\"\"\",0,"));
  const Predictions back = evaluation::from_csv(csv, "p.csv");
  EXPECT_EQ(back.file, p.file);
  EXPECT_EQ(back.group, p.group);
  EXPECT_EQ(back.row, p.row);
  EXPECT_EQ(back.label, p.label);
  EXPECT_EQ(back.logits, p.logits);
  EXPECT_EQ(back.group_ids(), p.group_ids());
}

TEST(Predictions, BadCsvSaysTheLine) {
  const auto said = [](const std::string& text) {
    try {
      evaluation::from_csv(text, "p.csv");
      return std::string("nothing");
    } catch (const DataError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_THAT(said("a,b\n"), ::testing::HasSubstr("p.csv:1: want the columns"));
  EXPECT_THAT(said("file,row,group,label,score_0,score_1\nf,0,g,1,0.5\n"),
              ::testing::HasSubstr("p.csv:2: want 6 fields, got 5"));
  EXPECT_THAT(said("file,row,group,label,score_0,score_1\nf,0,g,1,0.5,x\n"),
              ::testing::HasSubstr("p.csv:2: want a number, got \"x\""));
}

}  // namespace
}  // namespace entrain::tests
