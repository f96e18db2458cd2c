#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "configs/reader.hpp"
#include "sharding/image_shape.hpp"
#include "sharding/order_choice.hpp"

namespace entrain::coordinator {

/// What `plan` knows besides the configuration.
struct PlanInput {
  std::int64_t num_samples = 0;
  sharding::ImageShape image;                 ///< of the corpus; assumed where there are no files
  bool assumed = false;                       ///< --samples: no file was opened
  std::string corpus;                         ///< one line for people: what was opened
  std::string digest;                         ///< of the corpus; empty where assumed
  double views_per_second = 0;                ///< --throughput; 0: unknown
  sharding::SlabSummary slabs{};              ///< images that are decoded together
  std::vector<std::string> order_warnings{};  ///< of the order of the images, for these files
};

/// A rank's share at one number of ranks. Where ranks differ, the largest.
struct RankPlan {
  std::int64_t ranks = 1, lanes_min = 0, lanes_max = 0, images_min = 0, images_max = 0;
  double busy = 1;  ///< share of the time in which the average rank has a lane to work on, 0 to 1
  std::int64_t weight_bytes = 0, gradient_bytes = 0, optimizer_bytes = 0, activation_bytes = 0,
               data_bytes = 0, snapshot_bytes = 0, program_bytes = 0;
  std::int64_t memory_bytes() const {
    return weight_bytes + gradient_bytes + optimizer_bytes + activation_bytes + data_bytes + snapshot_bytes +
           program_bytes;
  }
};

/// Everything that a pretraining run will be. Byte counts are estimates, all other counts are exact.
struct Plan {
  PlanInput input;
  std::int64_t global_batch = 0, negatives = 0, views_per_step = 0;
  double steps_per_epoch = 0, epochs = 0, peak_lr = 0;
  std::int64_t total_steps = 0, warmup_steps = 0;
  std::int64_t encoder_parameters = 0, head_parameters = 0, macs_per_view = 0;
  std::vector<RankPlan> ranks;  ///< for 1, 2, ..., lanes ranks
  std::int64_t checkpoint_bytes = 0, disk_bytes = 0, metrics_bytes = 0, tensors = 0;
  std::optional<std::int64_t> commits;       ///< unknown without a throughput where commits go by the clock
  std::optional<std::int64_t> ledger_bytes;  ///< unknown where commits are
  std::optional<double> seconds;             ///< unknown without a throughput
  std::vector<std::string> warnings;
};

/// Throws ConfigError where the run has no length (neither train.steps nor train.epochs).
Plan make_plan(const RunConfig& config, const PlanInput& input);

/// A table for people, and the same numbers for machines (one JSON object, all ranks).
std::string plan_text(const Plan& plan, const ResolvedConfig& config);
std::string plan_json(const Plan& plan, const ResolvedConfig& config);

}  // namespace entrain::coordinator
