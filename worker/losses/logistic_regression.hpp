#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entrain::worker {

/// scores = features weight' + bias, on raw (not standardised) features.
struct LinearClassifier {
  at::Tensor weight_KF;  ///< double
  at::Tensor bias_K;     ///< double, sums to zero
};

/// The linear probe: softmax regression with an L2 penalty on features standardised by their mean and
/// (biased) standard deviation over the labelled rows, folded back to raw features. Minimises
///     sum over labelled rows of cross entropy + l2 / 2 * |weights of standardised features|^2
/// (the bias is free) as scikit-learn's LogisticRegression(C = 1 / l2) does for three or more classes; for
/// two, C = 2 / l2: it keeps one weight vector, the difference of ours. A constant feature gets weight 0.
///   features_NF  float or double
///   labels_N     int64, -1: the row is ignored
///   l2           > 0
/// Newton steps with conjugate gradients, in double, on one thread, to a gradient of 1e-9 of its scale: the
/// same input gives the same bits. Throws DataError if the labelled rows are of one class only or hold a
/// non-finite value, NumericError if it does not converge.
LinearClassifier logistic_regression(const at::Tensor& features_NF, const at::Tensor& labels_N,
                                     std::int64_t num_classes, double l2);

}  // namespace entrain::worker
