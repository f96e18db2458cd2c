#include "evaluation/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "evaluation/auc.hpp"
#include "evaluation/decisions.hpp"

namespace entrain::evaluation {
namespace {

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

std::vector<std::uint8_t> is_class(const Predictions& p, int c) {
  std::vector<std::uint8_t> is(p.size());
  std::transform(p.label.begin(), p.label.end(), is.begin(), [c](std::int64_t label) { return label == c; });
  return is;
}

void add_auc(nlohmann::json& json, const AucEstimate& e) {
  json["auc"] = number(e.auc);
  json["auc_ci"] = {number(e.low), number(e.high)};
  json["auc_se"] = number(std::sqrt(e.variance));
  json["groups"] = e.cases;
}

}  // namespace

std::vector<double> one_against_rest(const Predictions& p, int c) {
  std::vector<double> score(p.size());
  for (std::size_t i = 0; i < p.size(); ++i) {
    const float* row = p.logits.data() + i * p.classes;
    double top = -std::numeric_limits<double>::infinity(), rest = 0;
    for (int k = 0; k < p.classes; ++k)
      if (k != c) top = std::max(top, static_cast<double>(row[k]));
    for (int k = 0; k < p.classes; ++k)
      if (k != c) rest += std::exp(row[k] - top);
    score[i] = row[c] - top - std::log(rest);
  }
  return score;
}

nlohmann::json summarize(const Predictions& p, const std::vector<double>& specificity) {
  const auto counts = right_by_class(p.logits, p.label, p.classes);  // also checks labels and scores
  const auto groups = p.group_ids();
  nlohmann::json json{{"n", p.size()},
                      {"classes", p.classes},
                      {"accuracy", number(accuracy(counts))},
                      {"balanced_accuracy", number(balanced_accuracy(counts))},
                      {"brier", number(brier(p.logits, p.label, p.classes))},
                      {"per_class", nlohmann::json::array()}};
  std::vector<std::vector<double>> score;
  std::vector<std::vector<std::uint8_t>> positive;
  for (int c = 0; c < p.classes; ++c) {
    score.push_back(one_against_rest(p, c));
    positive.push_back(is_class(p, c));
    const auto rows = static_cast<double>(counts[c].rows);
    json["per_class"].push_back({{"label", c},
                                 {"n", counts[c].rows},
                                 {"sensitivity", number(static_cast<double>(counts[c].right) / rows)},
                                 {"auc", number(auc(score[c], positive[c]))}});
  }
  if (p.classes > 2) {
    int defined = 0;
    add_auc(json, macro_auc(score, positive, groups, defined));
    json["auc_classes"] = defined;
    return json;
  }
  add_auc(json, clustered_delong(score[1], positive[1], groups));
  json["positives"] = counts[1].rows;
  json["negatives"] = counts[0].rows;
  json["sensitivity_at"] = nlohmann::json::array();
  for (const double s : specificity)
    json["sensitivity_at"].push_back(
        {{"specificity", s}, {"sensitivity", number(sensitivity_at(score[1], positive[1], s))}});
  return json;
}

}  // namespace entrain::evaluation
