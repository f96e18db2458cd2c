#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "evaluation/predictions.hpp"

namespace entrain::evaluation {

/// The numbers of metrics.json that follow from predictions alone: n, groups, classes, positives, negatives, auc,
/// auc_ci [low, high] (clustered by group, 95 %), auc_se, accuracy, balanced_accuracy, brier, sensitivity_at
/// [{specificity, sensitivity}], per_class [{label, n, sensitivity, auc}]. Two classes: class 1 is the finding and the score is the
/// difference of the logits. More: auc is the macro one-against-rest mean, auc_classes says over how many, and positives
/// and sensitivity_at are left out. What is undefined is null, never 0.5. DataError on NaN scores and unknown labels.
nlohmann::json summarize(const Predictions& predictions, const std::vector<double>& specificity);

/// The score of class c against the rest: log p_c - log(1 - p_c) of the softmax, without forming p.
std::vector<double> one_against_rest(const Predictions& predictions, int c);

}  // namespace entrain::evaluation
