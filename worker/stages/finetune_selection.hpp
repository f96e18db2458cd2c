#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluation/predictions.hpp"
#include "sharding/corpus.hpp"

namespace entrain::worker {

/// One candidate and what the validation split says of it.
struct Trial {
  double knob = 0;           ///< l2 of a linear probe, learning rate of a full fine-tuning
  std::int64_t step = 0;     ///< 0 in a linear probe
  double auc = 0, loss = 0;  ///< AUC (macro over more than two classes); mean cross entropy, nats
};

/// What a corpus and logits say together; rows in the order of the corpus. `label_of` maps its labels to the
/// columns of the logits; empty: they are the columns.
evaluation::Predictions predictions_of(const sharding::Corpus& corpus, const at::Tensor& logits_NK,
                                       const std::vector<std::int64_t>& label_of = {});

/// Chooses among candidates by the validation split and nothing else: the largest AUC, then the knob that changes
/// the weights less (`stronger_is_larger`: l2; else: learning rate), then the earlier step. Every rank chooses the
/// same, because all see the same logits.
class Selection {
 public:
  Selection(const sharding::Corpus& val, bool stronger_is_larger);

  /// `parameters_P` is copied if the candidate leads. Returns what was found.
  Trial consider(double knob, std::int64_t step, const at::Tensor& logits_NK, const at::Tensor& parameters_P);
  /// A candidate that came to nothing: non-finite loss, no convergence.
  void failed(double knob, std::int64_t step, const std::string& why);

  bool empty() const { return !best_parameters_P_.defined(); }
  const Trial& best() const { return best_; }
  const at::Tensor& best_parameters() const { return best_parameters_P_; }
  const at::Tensor& best_logits() const { return best_logits_NK_; }
  /// All candidates in the order in which they came: [{<knob_name>, step, auc, loss} or {.., failed}].
  nlohmann::json table(const char* knob_name) const;

 private:
  bool better(const Trial& a, const Trial& b) const;

  struct Row {
    Trial trial;
    std::string failure;
  };
  const sharding::Corpus& val_;
  const bool stronger_is_larger_;
  at::Tensor labels_N_, best_parameters_P_, best_logits_NK_;
  Trial best_;
  std::vector<Row> rows_;
};

}  // namespace entrain::worker
