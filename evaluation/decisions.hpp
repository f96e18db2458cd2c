#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::evaluation {

/// (a) On the test ROC itself: the largest share of positives found while at most floor((1 - specificity) * negatives)
/// negatives are called positive. Counted in integers, because in floating point 1 - 0.8 < 0.2. NaN: a class is missing.
double sensitivity_at(std::span<const double> score, std::span<const std::uint8_t> positive,
                      double specificity);

/// (b) With a threshold frozen elsewhere: the lowest one that keeps the specificity on *these* cases (validation);
/// +infinity where none does.
double threshold_at(std::span<const double> score, std::span<const std::uint8_t> positive,
                    double specificity);
struct Operating {
  double sensitivity = 0, specificity = 0;  ///< NaN: no such cases
};
/// Positive means score >= threshold.
Operating operate(std::span<const double> score, std::span<const std::uint8_t> positive, double threshold);

/// `logits`: [rows, classes] in C order. A row counts as right only if its class scores above every other one, so a tie
/// is an error and a constant model gets 0.
struct ClassCounts {
  std::int64_t rows = 0, right = 0;
};
std::vector<ClassCounts> right_by_class(std::span<const float> logits, std::span<const std::int64_t> label,
                                        int classes);
double accuracy(const std::vector<ClassCounts>& counts);  ///< NaN: no rows
double balanced_accuracy(
    const std::vector<ClassCounts>& counts);  ///< mean sensitivity of the classes that occur

/// Mean squared distance of the softmax from the truth: two classes (p1 - y)^2, more: summed over classes.
double brier(std::span<const float> logits, std::span<const std::int64_t> label, int classes);

}  // namespace entrain::evaluation
