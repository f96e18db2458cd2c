#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sharding/corpus.hpp"
#include "sharding/slab_order.hpp"

namespace entrain::sharding {

/// In what order a run sees its samples: decided when it begins and then kept, whatever becomes of its files. A resume
/// takes it from the checkpoint, the audit from the ledger.
struct OrderChoice {
  std::vector<std::int64_t>
      rows_per_slab{};          ///< of each file, or one number for all; empty: full permutation
  std::int64_t open_slabs = 0;  ///< SlabSettings
};

/// What data.order (auto | full | windows) comes to for these files. At least 64 slabs are open, and as many as make ten
/// global batches, the shuffle buffer of SimCLR's own input pipeline. With
/// batch.same_group: forbid it is full: that has an order of its own.
OrderChoice choose_order(const Corpus& corpus, const std::string& order, const std::string& same_group,
                         std::int64_t global_batch);

/// The choice for these samples of the files. DataError where it is not for these files.
SlabSettings slab_settings(const Corpus& corpus, const OrderChoice& choice, std::int64_t lane_images);

/// The choice as START's "plan" keeps it, under "slabs"; null for a full permutation, whose plans have no such key.
nlohmann::json order_facts(const OrderChoice& choice);
OrderChoice order_of_plan(const nlohmann::json& plan);

/// For people and for warnings: the slabs of these samples.
struct SlabSummary {
  std::int64_t slabs = 0;  ///< 0: each sample can be read by itself
  std::int64_t rows = 0;   ///< of the largest
  std::int64_t bytes = 0;  ///< of the largest, decoded
  std::int64_t open = 0;   ///< 0: full permutation, or that of `forbid`
};
SlabSummary summary_of(const Corpus& corpus, const OrderChoice& choice);

/// That decoded slabs take more memory than is kept for them; empty: they do not.
std::string memory_warning(const SlabSummary& slabs);

/// What is bad about this order for these files, a sentence each.
std::vector<std::string> order_warnings(const Corpus& corpus, const OrderChoice& choice,
                                        const DataSection& data, const std::string& same_group);

}  // namespace entrain::sharding
