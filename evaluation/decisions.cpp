#include "evaluation/decisions.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::evaluation {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct RocPoint {
  double threshold = std::numeric_limits<double>::infinity();
  std::int64_t true_positives = 0, positives = 0, negatives = 0;
};

// The point with the most true positives among those whose false positives are allowed.
RocPoint best_point(std::span<const double> score, std::span<const std::uint8_t> positive,
                    double specificity) {
  if (score.size() != positive.size())
    throw DataError(cat("ROC: ", score.size(), " scores but ", positive.size(), " labels"));
  RocPoint best;
  for (std::size_t i = 0; i < score.size(); ++i) {
    if (std::isnan(score[i])) throw DataError(cat("the score of row ", i, " is NaN"));
    ++(positive[i] != 0 ? best.positives : best.negatives);
  }
  const auto allowed =
      static_cast<std::int64_t>(std::floor((1 - specificity) * static_cast<double>(best.negatives) + 1e-9));
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score[a] > score[b]; });
  std::int64_t found = 0, alarms = 0;
  for (std::size_t i = 0; i < order.size();) {
    const double threshold = score[order[i]];
    for (; i < order.size() && score[order[i]] == threshold; ++i)
      ++(positive[order[i]] != 0 ? found : alarms);
    if (alarms > allowed) break;
    best.true_positives = found;
    best.threshold = threshold;
  }
  return best;
}

void check_shape(std::span<const float> logits, std::span<const std::int64_t> label, int classes) {
  if (classes < 2 || logits.size() != label.size() * static_cast<std::size_t>(classes))
    throw DataError(cat(logits.size(), " logits are not ", label.size(), " rows of ", classes, " classes"));
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (std::isnan(logits[i]))
      throw DataError(cat("the score of row ", i / static_cast<std::size_t>(classes), " is NaN"));
  for (std::size_t i = 0; i < label.size(); ++i)
    if (label[i] < 0 || label[i] >= classes)
      throw DataError(cat("row ", i, " has label ", label[i], ", the model knows 0 to ", classes - 1));
}

}  // namespace

double sensitivity_at(std::span<const double> score, std::span<const std::uint8_t> positive,
                      double specificity) {
  const RocPoint best = best_point(score, positive, specificity);
  if (best.positives == 0 || best.negatives == 0) return kNan;
  return static_cast<double>(best.true_positives) / static_cast<double>(best.positives);
}

double threshold_at(std::span<const double> score, std::span<const std::uint8_t> positive,
                    double specificity) {
  return best_point(score, positive, specificity).threshold;
}

Operating operate(std::span<const double> score, std::span<const std::uint8_t> positive, double threshold) {
  double count[2] = {0, 0}, right[2] = {0, 0};
  for (std::size_t i = 0; i < score.size(); ++i) {
    const bool is = positive[i] != 0;
    ++count[is];
    right[is] += (score[i] >= threshold) == is;
  }
  return {count[1] > 0 ? right[1] / count[1] : kNan, count[0] > 0 ? right[0] / count[0] : kNan};
}

std::vector<ClassCounts> right_by_class(std::span<const float> logits, std::span<const std::int64_t> label,
                                        int classes) {
  check_shape(logits, label, classes);
  std::vector<ClassCounts> counts(classes);
  for (std::size_t i = 0; i < label.size(); ++i) {
    const auto row = logits.subspan(i * classes, classes);
    const auto others =
        std::count_if(row.begin(), row.end(), [&](float s) { return s >= row[label[i]]; }) - 1;
    ++counts[label[i]].rows;
    counts[label[i]].right += others == 0;
  }
  return counts;
}

double accuracy(const std::vector<ClassCounts>& counts) {
  std::int64_t rows = 0, right = 0;
  for (const auto& c : counts) rows += c.rows, right += c.right;
  return rows > 0 ? static_cast<double>(right) / static_cast<double>(rows) : kNan;
}

double balanced_accuracy(const std::vector<ClassCounts>& counts) {
  double sum = 0, occurring = 0;
  for (const auto& c : counts) {
    if (c.rows == 0) continue;
    sum += static_cast<double>(c.right) / static_cast<double>(c.rows);
    ++occurring;
  }
  return occurring > 0 ? sum / occurring : kNan;
}

double brier(std::span<const float> logits, std::span<const std::int64_t> label, int classes) {
  check_shape(logits, label, classes);
  double sum = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    const auto row = logits.subspan(i * classes, classes);
    const double top = *std::max_element(row.begin(), row.end());
    double total = 0;
    for (const float s : row) total += std::exp(s - top);
    for (int c = classes == 2 ? 1 : 0; c < classes; ++c) {
      const double off = std::exp(row[c] - top) / total - (label[i] == c ? 1 : 0);
      sum += off * off;
    }
  }
  return label.empty() ? kNan : sum / static_cast<double>(label.size());
}

}  // namespace entrain::evaluation
