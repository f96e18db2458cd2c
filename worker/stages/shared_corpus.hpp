#pragma once
#include <functional>

#include "sharding/corpus.hpp"
#include "sharding/order_choice.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Collective: opens the corpus of `config.data` on every rank. DataError (on all ranks) where it cannot be used
/// or where ranks see different files.
sharding::Corpus open_corpus(Stage& stage);

/// Collective: what `choose` says on rank 0. It asks how files are read, and a node may lack a filter that others have.
sharding::OrderChoice agreed_order(Stage& stage, const std::function<sharding::OrderChoice()>& choose);

/// DataError unless there are labels of at least two classes: says where they were looked for and what the first
/// file has instead. Not collective.
void require_labels(const sharding::Corpus& corpus, const DataSection& data);

/// The rows that have a label, ascending, of this corpus.
std::vector<std::int64_t> labelled_samples(const sharding::Corpus& corpus);

/// How many different patients (images, where patients are not known) there are.
std::int64_t num_groups(const sharding::Corpus& corpus);

}  // namespace entrain::worker
