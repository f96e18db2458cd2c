#include "sharding/ingest/phantom.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "sharding/ingest/parallel.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::PhantomOptions;
using sharding::PhantomRow;
constexpr std::int64_t kPx = 32;

// Area under the ROC curve by counting pairs through ranks, ties half.
double auc(const std::vector<double>& score, const std::vector<PhantomRow>& rows) {
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return score[a] < score[b]; });
  double ranks = 0, positives = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && score[order[end]] == score[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k)
      if (rows[order[k]].finding) ranks += 0.5 * static_cast<double>(i + 1 + end), positives += 1;
    i = end;
  }
  const double negatives = static_cast<double>(rows.size()) - positives;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

/// 2,400 images, about 800 patients: the standard error of an AUC that says nothing is about 0.02.
struct Sample {
  std::vector<PhantomRow> rows;
  std::vector<std::vector<std::uint8_t>> images;
};
const Sample& sample() {
  static const auto* made = [] {
    auto* s = new Sample;
    PhantomOptions o;
    o.out = "x";
    o.images = 2400;
    s->rows = sharding::phantom_rows(o);
    s->images.resize(s->rows.size());
    sharding::parallel_for(2400, [&](std::int64_t i) {
      s->images[static_cast<std::size_t>(i)] =
          sharding::render_phantom(s->rows[static_cast<std::size_t>(i)], kPx, 1);
    });
    return s;
  }();
  return *made;
}

TEST(Phantom, NoStatisticOfTheGreyValuesTellsTheFinding) {
  std::map<std::string, std::vector<double>> scores;
  for (const auto& image : sample().images) {
    auto sorted = image;
    std::sort(sorted.begin(), sorted.end());
    const double n = static_cast<double>(sorted.size());
    const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
    double squares = 0;
    for (const auto v : sorted) squares += (v - mean) * (v - mean);
    scores["mean"].push_back(mean);
    scores["std"].push_back(std::sqrt(squares / n));
    scores["min"].push_back(sorted.front());
    scores["max"].push_back(sorted.back());
    for (std::size_t p = 1; p < 100; ++p)
      scores["percentile " + std::to_string(p)].push_back(sorted[sorted.size() * p / 100]);
  }
  ASSERT_EQ(scores.size(), 103U);
  for (const auto& [name, score] : scores) EXPECT_NEAR(auc(score, sample().rows), 0.5, 0.1) << name;
}

TEST(Phantom, NoPixelTellsTheFinding) {
  double worst = 0.5;
  for (std::size_t p = 0; p < kPx * kPx; ++p) {
    std::vector<double> score;
    for (const auto& image : sample().images) score.push_back(image[p]);
    const double a = auc(score, sample().rows);
    if (std::abs(a - 0.5) > std::abs(worst - 0.5)) worst = a;
  }
  EXPECT_NEAR(worst, 0.5, 0.1);
  EXPECT_NE(worst, 0.5);
}

// The control of both: an observer who knows where and how the finding would be sees it.
TEST(Phantom, AMatchedFilterSeesTheFinding) {
  std::vector<double> score(sample().rows.size());
  sharding::parallel_for(static_cast<std::int64_t>(score.size()), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const auto filter = sharding::phantom_finding(sample().rows[at], kPx, 1);
    double dot = 0, mean = 0, norm = 0;
    for (const float f : filter)
      mean += f / static_cast<double>(filter.size()), norm += static_cast<double>(f) * f;
    for (std::size_t p = 0; p < filter.size(); ++p) dot += (filter[p] - mean) * sample().images[at][p];
    score[at] = dot / std::sqrt(norm);
  });
  EXPECT_GT(auc(score, sample().rows), 0.9);
}

// Lungs are dark and bones bright on scanner a; b is flat. The spread of an image's values tells them apart alone.
TEST(Phantom, ScannersLookDifferent) {
  std::vector<double> spread;
  auto rows = sample().rows;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto sorted = sample().images[i];
    std::sort(sorted.begin(), sorted.end());
    spread.push_back(sorted[sorted.size() * 3 / 4] - sorted[sorted.size() / 4]);
    rows[i].finding = rows[i].scanner == 0;  // auc() asks for the scanner instead
  }
  EXPECT_GT(auc(spread, rows), 0.95);
}

TEST(Phantom, PatientsAreWholeBalancedAndSplitSevenOneTwo) {
  std::map<std::int64_t, std::set<std::string>> of_patient;
  std::map<std::string, int> patients;
  std::map<std::int64_t, int> images;
  for (const auto& row : sample().rows) {
    ++images[row.patient];
    const std::string kind =
        std::string(row.split) + (row.finding ? " ill" : " well") + (row.scanner ? " b" : " a");
    if (of_patient[row.patient].insert(kind).second && of_patient[row.patient].size() == 1) ++patients[kind];
  }
  for (const auto& [patient, kinds] : of_patient) EXPECT_EQ(kinds.size(), 1U) << patient;
  images.erase(std::prev(images.end()));  // the last patient may be cut
  for (const auto& [patient, n] : images) EXPECT_TRUE(n >= 2 && n <= 4) << patient;
  ASSERT_EQ(patients.size(), 12U);
  const double quarter = static_cast<double>(of_patient.size()) / 4;
  for (const char* kind : {" ill a", " ill b", " well a", " well b"}) {
    EXPECT_NEAR(patients[std::string("train") + kind], 0.7 * quarter, 8);
    EXPECT_NEAR(patients[std::string("val") + kind], 0.1 * quarter, 8);
    EXPECT_NEAR(patients[std::string("test") + kind], 0.2 * quarter, 8);
  }
}

TEST(Phantom, IsAPureFunctionOfSeedAndRow) {
  const auto& row = sample().rows[7];
  EXPECT_EQ(sharding::render_phantom(row, kPx, 1), sample().images[7]);
  EXPECT_NE(sharding::render_phantom(row, kPx, 2), sample().images[7]);
  PhantomOptions o;
  o.out = "x";
  o.images = 100;
  const auto few = sharding::phantom_rows(o);
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].patient, sample().rows[i].patient);
}

TEST(Phantom, WritesACorpus) {
  const TemporaryFolder folder;
  PhantomOptions o;
  o.out = folder / "p.h5";
  o.images = 300;
  o.px = 24;
  const std::string digest = write_phantom(o);
  const auto corpus = sharding::Corpus::open(data_of(o.out));
  EXPECT_EQ(corpus.size(), 300);
  EXPECT_EQ(corpus.shape(), (sharding::ImageShape{24, 24, 1, sharding::ElementType::kU8}));
  EXPECT_EQ(corpus.class_names(), (std::vector<std::string>{"normal", "finding"}));
  EXPECT_TRUE(corpus.has_groups() && corpus.has_splits() && corpus.has_sites());
  EXPECT_FALSE(corpus.samples_of_split("val").empty());
  const auto rows = sharding::phantom_rows(o);
  std::vector<std::uint8_t> image(24 * 24);
  corpus.read(299, reinterpret_cast<std::byte*>(image.data()));
  EXPECT_EQ(image, sharding::render_phantom(rows[299], 24, 1));
  EXPECT_THROW(write_phantom(o), CheckpointError);  // exists
  o.overwrite = true;
  EXPECT_EQ(write_phantom(o), digest);
  o.site = "a";
  write_phantom(o);
  const auto one = sharding::Corpus::open(data_of(o.out));
  for (std::int64_t i = 0; i < one.size(); ++i) ASSERT_EQ(one.site(i), "scanner_a");
}

TEST(Phantom, OptionsOutOfRangeAreRefused) {
  PhantomOptions o;
  EXPECT_THROW(sharding::phantom_rows(o), ConfigError);
  o.out = "x";
  o.px = 4;
  EXPECT_THROW(sharding::phantom_rows(o), ConfigError);
  o.px = 64;
  o.site = "c";
  EXPECT_THROW(sharding::phantom_rows(o), ConfigError);
}

}  // namespace
}  // namespace entrain::tests
