#include "worker/stages/finetune_selection.hpp"

#include <ATen/ATen.h>

#include "evaluation/summary.hpp"
#include "worker/losses/cross_entropy.hpp"

namespace entrain::worker {
namespace {

at::Tensor labels_of(const sharding::Corpus& corpus) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < corpus.size(); ++i) labels.push_back(corpus.label(i));
  return at::tensor(labels, at::kLong);
}

}  // namespace

evaluation::Predictions predictions_of(const sharding::Corpus& corpus, const at::Tensor& logits_NK,
                                       const std::vector<std::int64_t>& label_of) {
  TORCH_CHECK(logits_NK.dim() == 2 && logits_NK.size(0) == corpus.size() && logits_NK.is_contiguous(),
              "predictions_of: want contiguous logits [", corpus.size(), ", K], got ", logits_NK.sizes());
  evaluation::Predictions p;
  p.classes = static_cast<int>(logits_NK.size(1));
  const float* first = logits_NK.const_data_ptr<float>();
  p.logits.assign(first, first + logits_NK.numel());
  for (std::int64_t i = 0; i < corpus.size(); ++i) {
    const sharding::Place place = corpus.place(i);
    p.file.push_back(place.file.substr(place.file.rfind('/') + 1));
    p.row.push_back(place.row);
    p.group.emplace_back(corpus.group(i));
    const std::int64_t label = corpus.label(i);
    p.label.push_back(label_of.empty() ? label : label_of[static_cast<std::size_t>(label)]);
  }
  return p;
}

Selection::Selection(const sharding::Corpus& val, bool stronger_is_larger)
    : val_(val), stronger_is_larger_(stronger_is_larger), labels_N_(labels_of(val)) {}

Trial Selection::consider(double knob, std::int64_t step, const at::Tensor& logits_NK,
                          const at::Tensor& parameters_P) {
  const auto summary = evaluation::summarize(predictions_of(val_, logits_NK), {});
  const double loss = cross_entropy(logits_NK, labels_N_).loss_sum.item<double>();
  const Trial trial{knob, step, summary.at("auc"), loss / static_cast<double>(val_.size())};
  rows_.push_back({trial, ""});
  if (empty() || better(trial, best_)) {
    best_ = trial;
    best_parameters_P_ = parameters_P.clone();
    best_logits_NK_ = logits_NK.clone();
  }
  return trial;
}

void Selection::failed(double knob, std::int64_t step, const std::string& why) {
  rows_.push_back({{knob, step, 0, 0}, why});
}

bool Selection::better(const Trial& a, const Trial& b) const {
  if (a.auc != b.auc) return a.auc > b.auc;
  if (a.knob != b.knob) return stronger_is_larger_ ? a.knob > b.knob : a.knob < b.knob;
  return a.step < b.step;
}

nlohmann::json Selection::table(const char* knob_name) const {
  nlohmann::json table = nlohmann::json::array();
  for (const Row& row : rows_) {
    nlohmann::json entry{{knob_name, row.trial.knob}, {"step", row.trial.step}};
    if (row.failure.empty())
      entry.update({{"auc", row.trial.auc}, {"loss", row.trial.loss}});
    else
      entry["failed"] = row.failure;
    table.push_back(entry);
  }
  return table;
}

}  // namespace entrain::worker
