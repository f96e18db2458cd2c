#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "worker/bench/alpha_beta.hpp"
#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

/// Times what a step of training calls, from 1 KB to `largest_bytes`: all_gather_rows, all_to_all, all_reduce_sum_; and
/// all_gather_text of nothing. Smallest first; an operation ends early where one repetition takes more than its part of
/// `budget_s`. The same on all ranks: a time is that of the slowest. Collective. `options` and `synchronize`: where the
/// buffers live, and how to wait for what was enqueued there.
std::vector<CollectiveTime> time_collectives(
    Collectives& comm, double budget_s, std::int64_t largest_bytes,
    const at::TensorOptions& options = at::kFloat, const std::function<void()>& synchronize = [] {});

}  // namespace entrain::worker
