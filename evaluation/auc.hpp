#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace entrain::evaluation {

/// Ranks from 1, ties share their mean. DataError on NaN.
std::vector<double> midranks(std::span<const double> values);

/// P(score of a positive > score of a negative) + P(tie) / 2. NaN where one class is missing; DataError on a NaN score.
/// Rank logits, not probabilities: saturated sigmoids make ties. `positive[i]` is 0 or 1.
double auc(std::span<const double> score, std::span<const std::uint8_t> positive);

/// An AUC with what the choice of test cases adds in doubt.
struct AucEstimate {
  double auc = 0;
  double variance = 0;  ///< of the AUC; NaN where it cannot be estimated (a class with one independent case)
  double low = 0, high = 0;  ///< 95 %, symmetric on the logit scale; NaN with the variance
  bool point = false;  ///< the AUC is 0 or 1, so the interval is a point and says nothing: bootstrap instead
  std::int64_t positives = 0, negatives = 0, cases = 0;  ///< cases: independent ones
};

/// DeLong et al. 1988: every row is an independent case.
AucEstimate delong(std::span<const double> score, std::span<const std::uint8_t> positive);

/// Obuchowski 1997: rows of one group (images of one patient) are not independent, groups are. With one row per
/// group this is delong() to rounding.
AucEstimate clustered_delong(std::span<const double> score, std::span<const std::uint8_t> positive,
                             std::span<const std::int64_t> group);

/// The mean over classes of one-against-rest AUCs with its interval: variance of the groups' summed influences,
/// I/(I-1) sum_g (mean_c phi_gc)^2. `score[c]`, `positive[c]`: one row per case for each class. Classes without
/// positives or negatives are left out; `defined` counts the others.
AucEstimate macro_auc(const std::vector<std::vector<double>>& score,
                      const std::vector<std::vector<std::uint8_t>>& positive,
                      std::span<const std::int64_t> group, int& defined);

/// Two fixed models on the same cases. z = difference / sqrt(variance); zero variance: p = 1 if equal, else 0.
struct PairedTest {
  double auc_a = 0, auc_b = 0, difference = 0, variance = 0, z = 0, p = 0;
  double covariance_aa = 0, covariance_ab = 0, covariance_bb = 0;
};
PairedTest paired_delong(std::span<const double> a, std::span<const double> b,
                         std::span<const std::uint8_t> positive);

}  // namespace entrain::evaluation
