#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace entrain::worker {

/// Sums, not means: the caller adds lanes (tree_sum) and divides both by the labelled rows of all ranks.
struct ClassLoss {
  at::Tensor loss_sum;        ///< scalar double, nats, over the labelled rows of the lane
  at::Tensor dlogits_LK;      ///< d loss_sum / d logits, in the logits' dtype; zero in unlabelled rows
  std::int64_t labelled = 0;  ///< rows whose label is not -1
  std::int64_t correct = 0;   ///< labelled rows whose largest logit is their label's (the first of equals)
};

/// Softmax cross entropy of one lane. `logits_LK` is float or double, `labels_L` int64 in [-1, K); -1: not
/// labelled. Throws c10::Error naming the row on any other label or shape. Pure: fixed shape in, the same
/// bits out.
ClassLoss cross_entropy(const at::Tensor& logits_LK, const at::Tensor& labels_L);

}  // namespace entrain::worker
