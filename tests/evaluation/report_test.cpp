#include "evaluation/report.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <regex>

#include "configs/error.hpp"
#include "coordinator/commands.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Evaluate runs as entrain evaluate leaves them.
class Report : public ::testing::Test {
 protected:
  nlohmann::json& add(const std::string& corpus, const std::string& mode, const std::string& init,
                      double fraction, int repeat, double auc, double low, double high) {
    const std::string dir = runs_ / (corpus + "-" + mode + "-" + init + "-" + std::to_string(fraction) + "-" +
                                     std::to_string(repeat));
    fs::create_directories(dir);
    const auto patients = static_cast<int>(std::lround(fraction * 2000));
    metrics_[dir] = {{"name", corpus},
                     {"mode", mode},
                     {"init", init},
                     {"label_fraction", fraction},
                     {"repeat", repeat},
                     {"auc", auc},
                     {"auc_ci", {low, high}},
                     {"n", 640},
                     {"groups", 600},
                     {"positives", 390},
                     {"leakage", false},
                     {"train_groups", patients},
                     {"train_images", 2 * patients},
                     {"weights_digest", "0123456789abcdef"},
                     {"checkpoint", "runs/a"}};
    return metrics_[dir];
  }
  void add_draws(const std::string& init, double fraction, const std::vector<double>& aucs) {
    for (std::size_t k = 0; k < aucs.size(); ++k)
      add("kermany", "full", init, fraction, static_cast<int>(k), aucs[k], aucs[k] - 0.03, aucs[k] + 0.02);
  }
  evaluation::Study study() {
    for (const auto& [dir, metrics] : metrics_) write_file(dir + "/metrics.json", metrics.dump());
    return evaluation::make_study(evaluation::read_results({runs_.path()}));
  }
  std::string refusal() {
    try {
      study();
      return "nothing was thrown";
    } catch (const DataError& error) {
      return error.what();
    }
  }
  TemporaryFolder runs_;
  std::map<std::string, nlohmann::json> metrics_;
};

TEST_F(Report, ABandAddsTestPatientsAndDraws) {
  add_draws("pretrained", 0.01, {0.964, 0.937, 0.957});
  add_draws("pretrained", 1.0, {0.99});
  const auto cells = study().corpora.at(0).arms.at(0).cells;
  const auto& three = cells.at(0.01);
  EXPECT_NEAR(three.mean, 0.952667, 1e-6);
  EXPECT_NEAR(three.deviation, 0.0140119, 1e-6);
  // t(0.975, 2) = 4.302653 (scipy 1.17): 4.302653 x 0.0140119 / sqrt(3) = 0.0348073; with 0.03 and 0.02 in quadrature.
  EXPECT_NEAR(three.mean - three.low, std::hypot(0.03, 0.0348073), 1e-6);
  EXPECT_NEAR(three.high - three.mean, std::hypot(0.02, 0.0348073), 1e-6);
  EXPECT_NEAR(cells.at(1.0).low, 0.96, 1e-12) << "one draw: the interval of its AUC";
  EXPECT_EQ(cells.at(1.0).high, 1.0) << "cut at 1";
}

TEST_F(Report, ComparesPairedAtEachShare) {
  add_draws("pretrained", 0.01, {0.964, 0.937, 0.957});
  add_draws("scratch", 0.01, {0.926, 0.927, 0.931});
  add_draws("pretrained", 0.1, {0.98});
  add_draws("scratch", 0.1, {0.955});
  const auto all = evaluation::compare(study().corpora.at(0));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_NEAR(all[0].difference, 0.0246667, 1e-6);
  EXPECT_NEAR(all[0].high - all[0].difference, 4.302653 * 0.0140475 / std::sqrt(3), 1e-5)
      << "of .038, .010, .026";
  EXPECT_EQ(all[0].wins, 3);
  EXPECT_TRUE(all[0].beyond_spread);
  EXPECT_EQ(all[0].same_from_scratch, 0.1);
  EXPECT_EQ(evaluation::sentence(all[0]),
            "full, 1 % of the labels (20 patients): pretrained 0.953 beats scratch 0.928 by 0.025; better in "
            "3 of 3 draws; the difference is "
            "larger than the spread over draws (0.014); from scratch that takes 10 %");
  EXPECT_THAT(evaluation::sentence(all[1]),
              AllOf(HasSubstr("one draw each"), HasSubstr("from scratch no share here reaches it")));
}

TEST_F(Report, SaysWhenPretrainingDoesNotHelp) {
  add_draws("pretrained", 0.01, {0.93, 0.90});
  add_draws("scratch", 0.01, {0.92, 0.92});
  EXPECT_THAT(evaluation::sentence(evaluation::compare(study().corpora.at(0)).at(0)),
              AllOf(HasSubstr("pretrained 0.915 is below scratch 0.920 by 0.005; better in 1 of 2 draws"),
                    HasSubstr("NOT larger than the spread"), Not(HasSubstr("takes"))));
  add_draws("pretrained", 0.01, {0.51, 0.50});
  add_draws("scratch", 0.01, {0.48, 0.47});
  EXPECT_THAT(evaluation::sentence(evaluation::compare(study().corpora.at(0)).at(0)),
              HasSubstr("both intervals include chance (0.5): more draws would narrow them"));
}

TEST_F(Report, TerminalTableHasARowPerArmAndAColumnPerShare) {
  add_draws("pretrained", 0.01, {0.964, 0.937, 0.957});
  add_draws("scratch", 0.01, {0.926, 0.927, 0.931});
  add_draws("scratch", 1, {0.985});
  const std::string table = evaluation::terminal_table(study());
  EXPECT_THAT(table, HasSubstr("corpus   mode  init        1 %                100 %\n"
                               "kermany  full  pretrained  0.953 +-0.014 (3)  -\n"
                               "kermany  full  scratch     0.928 +-0.003 (3)  0.985 [0.955, 1.000]\n"));
  EXPECT_THAT(table, HasSubstr("\nkermany, full, 1 % of the labels (20 patients): pretrained 0.953 beats "
                               "scratch 0.928 by 0.025;"));
}

TEST_F(Report, UndefinedIsLeftOutByNameAndLeakageIsShouted) {
  add_draws("pretrained", 0.01, {0.96, 0.95});
  add("one class", "full", "pretrained", 1, 0, 0, 0, 0)
      .update({{"auc", nullptr}, {"auc_ci", {nullptr, nullptr}}});
  add("seen", "full", "pretrained", 1, 0, 0.99, 0.98, 0.995)["leakage"] = true;
  const auto s = study();
  EXPECT_EQ(s.corpora.size(), 2U);
  EXPECT_THAT(s.left_out, ElementsAre(HasSubstr("its AUC is undefined")));
  EXPECT_THAT(evaluation::terminal_table(s), AllOf(HasSubstr("seen (LEAKAGE)"), HasSubstr("left out: ")));
  EXPECT_THAT(evaluation::cautions(s), ::testing::Contains(HasSubstr("LEAKAGE: seen holds patients")));
  EXPECT_THAT(evaluation::cautions(s),
              ::testing::Contains(HasSubstr("The lowest share, 1 %, is 20 patients (40 images)")));
}

// runs/cxr-1pct holds the metrics.json of a fine-tuning, runs/cxr-1pct/test that of its evaluation.
TEST_F(Report, EvaluationsBelowAFineTuningAreFound) {
  fs::create_directories(runs_ / "tuned/test");
  write_file(runs_ / "tuned/metrics.json", R"({"stage": "finetune"})");
  write_file(
      runs_ / "tuned/test/metrics.json",
      R"({"auc": 0.9, "auc_ci": [0.8, 0.95], "name": "kermany", "mode": "full", "init": "scratch", "n": 9})");
  for (const std::string& named : {runs_ / "tuned", runs_.path()}) {
    const auto results = evaluation::read_results({named});
    ASSERT_EQ(results.size(), 1U) << named;
    EXPECT_EQ(results[0].auc, 0.9);
  }
  fs::remove_all(runs_ / "tuned/test");
  EXPECT_THROW(evaluation::read_results({runs_ / "tuned"}), DataError);
}

TEST_F(Report, BadMetricsAreNamed) {
  EXPECT_THAT(refusal(), HasSubstr("no metrics.json of an evaluate run in it or below"));
  auto& one = add("a", "full", "scratch", 0.1, 0, 0.9, 0.8, 0.95);
  one["repeat"] = "x";
  EXPECT_THAT(refusal(), AllOf(HasSubstr("metrics.json: \"repeat\" is \"x\"")));
  one["repeat"] = 0;
  one["label_fraction"] = 10;
  EXPECT_THAT(refusal(), HasSubstr("\"label_fraction\" is 10, want"));
  one["label_fraction"] = 0.1;
  fs::create_directories(runs_ / "again");
  metrics_[runs_ / "again"] = one;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("again"), HasSubstr("both are a, full, scratch, 10 %, repeat 0")));
  EXPECT_THROW(evaluation::read_results({runs_ / "missing"}), DataError);
}

TEST_F(Report, CorporaComeInTheOrderInWhichTheyWereNamedAndAFolderCountsOnce) {
  add("zebra", "full", "scratch", 0.1, 0, 0.9, 0.8, 0.95);
  add("ape", "full", "scratch", 0.1, 0, 0.9, 0.8, 0.95);
  ASSERT_EQ(study().corpora.at(0).name, "ape");
  const std::string zebra = std::prev(metrics_.end())->first;
  const auto named = evaluation::make_study(evaluation::read_results({zebra + "/", runs_.path()}));
  ASSERT_EQ(named.corpora.size(), 2U);
  EXPECT_EQ(named.corpora[0].name, "zebra");
  EXPECT_EQ(named.results.size(), 2U);
}

TEST_F(Report, ThePageStandsAloneIsWellFormedAndDependsOnTheInputsOnly) {
  add_draws("pretrained", 0.01, {0.964, 0.937, 0.957});
  add_draws("scratch", 0.01, {0.926, 0.927, 0.931});
  add_draws("scratch", 1, {0.985});
  add("<b>&\"evil\"", "linear", "scratch", 0.5, 0, 0.45, 0.4, 0.52);
  const auto s = study();
  const std::string page = evaluation::report_html(s);
  EXPECT_EQ(page, evaluation::report_html(study()));
  for (const char* never :
       {"<script", "http:", "https:", "<link", "@import", "url(", "nan", "inf\"", "<b>&\"evil"})
    EXPECT_THAT(page, Not(HasSubstr(never)));
  for (const char* always : {"<svg", "<title id=\"c0m0-t\">", "<desc", "&lt;b&gt;&amp;&quot;evil", "0.953",
                             "What these numbers do not say", "chance</text>"})
    EXPECT_THAT(page, HasSubstr(always));

  std::vector<std::string> open;  // every tag that is opened is closed, in order
  const std::regex tag("<(/?)([a-z0-9]+)[^>]*?(/?)>");
  int tags = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), tag), end; it != end; ++it, ++tags) {
    const std::string name = (*it)[2];
    if ((*it)[3].length() > 0 || name == "meta" || name == "doctype") continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << name;
      ASSERT_EQ(open.back(), name) << page.substr(static_cast<std::size_t>(it->position()), 80);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_GT(tags, 200);
}

TEST_F(Report, TheCommandWritesPageAndJson) {
  add_draws("pretrained", 0.01, {0.964});
  study();
  ::testing::internal::CaptureStdout();
  const int code = coordinator::report_command({runs_.path(), "--out", runs_ / "r.html", "--json"});
  const auto json = nlohmann::json::parse(::testing::internal::GetCapturedStdout());
  EXPECT_EQ(code, 0);
  EXPECT_EQ(json["corpora"][0]["arms"][0]["cells"][0]["auc"], 0.964);
  EXPECT_EQ(json["results"].size(), 1U);
  EXPECT_THAT(read_file(runs_ / "r.html"), ::testing::StartsWith("<!doctype html>"));
  EXPECT_THROW(coordinator::report_command({}), ConfigError);
  EXPECT_THROW(coordinator::report_command({runs_.path(), "--out", "/proc/no/r.html"}), CheckpointError);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(coordinator::report_command({runs_.path(), "--out", runs_ / "r.html"}), 0) << "its own page";
  ::testing::internal::GetCapturedStdout();
  write_file(runs_ / "notes.html", "<!doctype html>mine");
  EXPECT_THROW(coordinator::report_command({runs_.path(), "--out", runs_ / "notes.html"}), CheckpointError);
  EXPECT_EQ(read_file(runs_ / "notes.html"), "<!doctype html>mine");
}

}  // namespace
}  // namespace entrain::tests
