#pragma once
#include "sharding/corpus.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::worker {

/// Collective: opens the corpus of `config.data` on every rank. DataError (on all ranks) where it cannot be used
/// or where ranks see different files.
sharding::Corpus open_corpus(Stage& stage);

/// DataError unless there are labels of at least two classes: says where they were looked for and what the first
/// file has instead. Not collective.
void require_labels(const sharding::Corpus& corpus, const DataSection& data);

/// The rows that have a label, ascending, of this corpus.
std::vector<std::int64_t> labelled_samples(const sharding::Corpus& corpus);

/// How many different patients (images, where patients are not known) there are.
std::int64_t num_groups(const sharding::Corpus& corpus);

}  // namespace entrain::worker
