#include "worker/bench/time_collectives.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "tests/support/forwarding_collectives.hpp"
#include "tests/support/ranks.hpp"

namespace entrain::worker {
namespace {

// A network of memory whose all-to-all takes 20 ms more.
class Slowed final : public tests::ForwardingCollectives {
 public:
  explicit Slowed(Collectives& inner) : tests::ForwardingCollectives(inner) {}
  at::Tensor all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& out,
                        const std::vector<std::int64_t>& in) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return inner_.all_to_all(send, out, in);
  }
};

std::vector<CollectiveTime> timed_on(int ranks, double budget_s, bool slowed = false) {
  std::vector<std::vector<CollectiveTime>> all(static_cast<std::size_t>(ranks));
  tests::run_ranks(ranks, [&](Collectives& comm) {
    Slowed slow(comm);
    all[static_cast<std::size_t>(comm.rank())] =
        time_collectives(slowed ? static_cast<Collectives&>(slow) : comm, budget_s, 64 << 10);
  });
  for (const auto& times : all) {
    EXPECT_EQ(times.size(), all[0].size());
    for (std::size_t i = 0; i < std::min(times.size(), all[0].size()); ++i)
      EXPECT_EQ(times[i].seconds, all[0][i].seconds) << "ranks must agree";
  }
  return all[0];
}

TEST(TimeCollectives, EveryOperationAndSizeIsTimed) {
  for (const int ranks : {2, 3}) {
    std::map<std::string, std::set<std::int64_t>> sizes;
    for (const CollectiveTime& t : timed_on(ranks, 1)) {
      EXPECT_GT(t.seconds, 0);
      EXPECT_GT(t.repetitions, 0);
      sizes[t.operation].insert(t.bytes);
    }
    EXPECT_EQ(sizes.size(), 4U);
    for (const char* name : {"all_gather_rows", "all_to_all", "all_reduce_sum_"}) {
      ASSERT_EQ(sizes[name].size(), 4U) << name;  // 1, 4, 16, 64 KiB
      EXPECT_NEAR(static_cast<double>(*sizes[name].rbegin()), 64 << 10, 4 * ranks);
      EXPECT_EQ(*sizes[name].rbegin() % (4 * ranks), 0);
    }
  }
}

TEST(TimeCollectives, ASlowOperationIsSeenInItsAlphaAlone) {
  const auto times = timed_on(2, 1, true);
  const AlphaBeta slow = fit_alpha_beta("all_to_all", times, 2),
                  other = fit_alpha_beta("all_gather_rows", times, 2);
  EXPECT_GT(slow.alpha_s, 19e-3);
  EXPECT_LT(other.alpha_s, slow.alpha_s / 2);
}

TEST(TimeCollectives, ABudgetTooSmallEndsAnOperationEarly) {
  int all_to_all = 0;
  for (const CollectiveTime& t : timed_on(2, 1e-3, true)) all_to_all += t.operation == "all_to_all" ? 1 : 0;
  EXPECT_EQ(all_to_all, 1) << "20 ms are more than its part of 1 ms";
}

}  // namespace
}  // namespace entrain::worker
