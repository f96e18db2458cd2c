#include "worker/bench/time_collectives.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace entrain::worker {
namespace {

using Operation = std::function<void()>;
constexpr std::int64_t kSmallest = 1 << 10, kGrowth = 4, kFloat = 4;
constexpr double kBatch_s = 0.05;  // so long a batch that ranks' unequal leave of the barrier is little of it
constexpr std::int64_t kMostPerBatch = 50, kLeastSamples = 3, kMostSamples = 31;

// Seconds of one of `times` calls back to back: each needs something of every rank, so they do not run ahead. Of the
// slowest rank.
double batch_seconds(Collectives& comm, const Operation& operation, std::int64_t times,
                     const std::function<void()>& synchronize) {
  using Clock = std::chrono::steady_clock;
  synchronize();
  comm.barrier();
  const auto began = Clock::now();
  for (std::int64_t i = 0; i < times; ++i) operation();
  synchronize();
  const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began).count();
  return 1e-9 * static_cast<double>(comm.all_reduce_max(took)) / static_cast<double>(times);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Sampled {
  double seconds;
  std::int64_t repetitions;
  bool over_budget;
};

// The first call warms up and says how many more there is time for; all ranks know the same numbers.
Sampled sample(Collectives& comm, const Operation& operation, double budget_s,
               const std::function<void()>& synchronize) {
  const double first = batch_seconds(comm, operation, 1, synchronize);
  if (first > budget_s) return {first, 1, true};
  const auto batch = std::clamp<std::int64_t>(std::llround(kBatch_s / first), 1, kMostPerBatch);
  const auto samples = std::clamp<std::int64_t>(std::llround(budget_s / (first * static_cast<double>(batch))),
                                                kLeastSamples, kMostSamples);
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < samples; ++i)
    seconds.push_back(batch_seconds(comm, operation, batch, synchronize));
  return {median(seconds), samples * batch, false};
}

// Buffers of `bytes`, at least one number per rank; the bytes they have in truth.
struct Prepared {
  std::int64_t bytes;
  Operation run;
};

Prepared prepare(const std::string& name, std::int64_t bytes, Collectives& comm,
                 const at::TensorOptions& options) {
  const std::int64_t each = std::max<std::int64_t>(1, bytes / kFloat / comm.size()), all = each * comm.size();
  if (name == "all_gather_rows") {
    const at::Tensor mine = at::zeros({each}, options);
    return {all * kFloat, [&comm, mine] { comm.all_gather_rows(mine); }};
  }
  const at::Tensor mine = at::zeros({all}, options);
  if (name == "all_reduce_sum_") return {all * kFloat, [&comm, mine] { comm.all_reduce_sum_(mine); }};
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(comm.size()), each);
  return {all * kFloat, [&comm, mine, counts] { comm.all_to_all(mine, counts, counts); }};
}

}  // namespace

std::vector<CollectiveTime> time_collectives(Collectives& comm, double budget_s, std::int64_t largest_bytes,
                                             const at::TensorOptions& options,
                                             const std::function<void()>& synchronize) {
  const std::vector<std::string> names{"all_gather_rows", "all_to_all", "all_reduce_sum_"};
  double sizes = 0;
  for (std::int64_t bytes = kSmallest; bytes <= largest_bytes; bytes *= kGrowth) ++sizes;
  const double each_s = budget_s / (static_cast<double>(names.size()) * sizes + 1);
  const Sampled text = sample(
      comm, [&comm] { comm.all_gather_text(""); }, each_s, [] {});
  std::vector<CollectiveTime> times{{"all_gather_text", 0, text.seconds, text.repetitions}};
  for (const std::string& name : names)
    for (std::int64_t bytes = kSmallest; bytes <= largest_bytes; bytes *= kGrowth) {
      const Prepared prepared = prepare(name, bytes, comm, options);
      const Sampled done = sample(comm, prepared.run, each_s, synchronize);
      times.push_back({name, prepared.bytes, done.seconds, done.repetitions});
      if (done.over_budget) break;
    }
  return times;
}

}  // namespace entrain::worker
