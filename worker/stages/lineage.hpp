#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/ancestry.hpp"
#include "checkpoint/reader.hpp"
#include "sharding/corpus.hpp"

// Lineage: which patients a set of weights has seen. Checkpoints carry two lists of hashes (Corpus::group_hash),
// sorted and unique, int64: lineage.pretrain_groups, seen without labels, and lineage.train_groups, seen with
// labels, be it to train or to choose. Weights that a pretraining begins from (init.from) bring theirs along: they are
// among its pretrain_groups, and by themselves in lineage.ancestor_groups.
namespace entrain::worker {

inline constexpr const char* kPretrainGroups = "lineage.pretrain_groups";
inline constexpr const char* kTrainGroups = "lineage.train_groups";
inline constexpr const char* kAncestorGroups = checkpoint::kAncestorGroups;

/// A list as a checkpoint holds it; undefined: it has none.
at::Tensor read_groups(const checkpoint::CheckpointReader& reader, const char* name);

/// Both lists together; an undefined tensor counts as none.
at::Tensor united(const at::Tensor& a, const at::Tensor& b);

/// What a pretraining begins from.
struct Ancestry {
  nlohmann::json facts{};  ///< {"from", "lineage": none | known | unknown, "weights_sha256", "groups"}
  at::Tensor groups{};     ///< all that its weights have seen; undefined: none, or nobody knows
};
/// `from`: init.from; "scratch" begins from nothing, a file does not say whom its weights have seen.
Ancestry read_ancestry(const std::string& from);

/// Patients of a corpus that stand in such a list.
struct SeenGroups {
  std::int64_t groups = 0, images = 0;
  std::vector<std::string> first;  ///< names of the first few, in the order of the corpus
};
SeenGroups seen_groups(const sharding::Corpus& corpus, const at::Tensor& hashes);

}  // namespace entrain::worker
