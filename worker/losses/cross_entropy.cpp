#include "worker/losses/cross_entropy.hpp"

#include <ATen/ATen.h>

namespace entrain::worker {
namespace {

void check(const at::Tensor& logits_LK, const at::Tensor& labels_L) {
  TORCH_CHECK(logits_LK.dim() == 2 && labels_L.dim() == 1 && labels_L.scalar_type() == at::kLong &&
                  logits_LK.size(0) == labels_L.size(0) && logits_LK.size(1) > 0,
              "cross_entropy: want logits [L, K] and int64 labels [L], got ", logits_LK.sizes(), " and ",
              labels_L.sizes(), " of ", labels_L.scalar_type());
  const auto* label = labels_L.const_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < labels_L.size(0); ++row)
    TORCH_CHECK(-1 <= label[row] && label[row] < logits_LK.size(1), "cross_entropy: row ", row, " has label ",
                label[row], ", want -1 (none) to ", logits_LK.size(1) - 1);
}

}  // namespace

ClassLoss cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  check(logits, labels.contiguous());
  const at::Tensor labels_L = labels.to(logits.device());
  // A few classes only: double costs nothing and makes the sums exact enough for any number of rows.
  const at::Tensor logits_LK = logits.detach().to(at::kDouble);
  const at::Tensor log_p_LK = at::log_softmax(logits_LK, 1), known_L = labels_L.ge(0);
  const at::Tensor at_label_L1 = labels_L.clamp_min(0).unsqueeze(1);

  ClassLoss result;
  const at::Tensor loss_L = -log_p_LK.gather(1, at_label_L1).squeeze(1);
  result.loss_sum = at::where(known_L, loss_L, at::zeros({}, loss_L.options())).sum();
  at::Tensor d_LK = log_p_LK.exp();
  d_LK.sub_(at::arange(d_LK.size(1), labels_L.options()).eq(at_label_L1).to(at::kDouble));
  d_LK = at::where(known_L.unsqueeze(1), d_LK, at::zeros({}, d_LK.options()));
  result.dlogits_LK = d_LK.to(logits.scalar_type());
  result.labelled = known_L.sum().item<std::int64_t>();
  result.correct = logits_LK.argmax(1).eq(labels_L).sum().item<std::int64_t>();
  return result;
}

}  // namespace entrain::worker
