#include "worker/bench/alpha_beta.hpp"

#include <gtest/gtest.h>

namespace entrain::worker {
namespace {

// What a link of 20 us and 100 MB/s would show.
std::vector<CollectiveTime> times_of(const std::string& operation, double hops, double share) {
  std::vector<CollectiveTime> times;
  for (std::int64_t bytes = 1024; bytes <= 64 << 20; bytes *= 4)
    times.push_back({operation, bytes, hops * 20e-6 + share * static_cast<double>(bytes) / 100e6, 1});
  return times;
}

TEST(AlphaBeta, ExactTimesGiveTheLinkBack) {
  const struct {
    const char* operation;
    double hops, share;
  } cases[] = {{"all_gather_rows", 3, 0.75}, {"all_to_all", 3, 0.75}, {"all_reduce_sum_", 6, 1.5}};
  for (const auto& c : cases) {
    const AlphaBeta fit = fit_alpha_beta(c.operation, times_of(c.operation, c.hops, c.share), 4);
    EXPECT_NEAR(fit.alpha_s, 20e-6, 1e-9) << c.operation;
    EXPECT_NEAR(fit.s_per_byte, 1e-8, 1e-12) << c.operation;
    EXPECT_LT(fit.worst, 1e-6);
  }
}

TEST(AlphaBeta, OtherOperationsAreLeftOut) {
  auto times = times_of("all_to_all", 1, 0.5);
  times.push_back({"all_gather_rows", 1 << 20, 7, 1});
  EXPECT_LT(fit_alpha_beta("all_to_all", times, 2).worst, 1e-6);
  times.push_back({"all_to_all", 1 << 20, 7, 1});
  EXPECT_GT(fit_alpha_beta("all_to_all", times, 2).worst, 0.5);
}

// Absolute residuals would leave the small sizes to chance: one late large message moves alpha by all of itself.
TEST(AlphaBeta, SmallSizesCountAsMuchAsLargeOnes) {
  auto times = times_of("all_to_all", 1, 0.5);
  times.back().seconds *= 1.3;
  const AlphaBeta fit = fit_alpha_beta("all_to_all", times, 2);
  EXPECT_NEAR(fit.alpha_s, 20e-6, 1e-6);
  EXPECT_NEAR(fit.s_per_byte, 1e-8, 0.12e-8);
}

TEST(AlphaBeta, TheWorstSizeIsNamed) {
  auto times = times_of("all_gather_rows", 1, 0.5);
  times[3].seconds *= 2;
  const AlphaBeta fit = fit_alpha_beta("all_gather_rows", times, 2);
  EXPECT_EQ(fit.worst_bytes, times[3].bytes);
  EXPECT_GT(fit.worst, 0.3);
  EXPECT_LT(fit.worst, 0.5);
}

TEST(AlphaBeta, NeitherCoefficientIsNegative) {
  const std::vector<CollectiveTime> falling{{"all_to_all", 1000, 2e-3, 1},
                                            {"all_to_all", 1'000'000, 1e-3, 1}};
  EXPECT_EQ(fit_alpha_beta("all_to_all", falling, 2).s_per_byte, 0);
  const std::vector<CollectiveTime> steep{{"all_to_all", 1000, 1e-6, 1}, {"all_to_all", 1'000'000, 1, 1}};
  EXPECT_EQ(fit_alpha_beta("all_to_all", steep, 2).alpha_s, 0);
  const std::vector<CollectiveTime> one{{"all_gather_text", 0, 4e-5, 1}};
  EXPECT_NEAR(fit_alpha_beta("all_gather_text", one, 3).alpha_s, 2e-5, 1e-12);
}

// 20 us at once up to 64 KiB, three times 20 us above.
TEST(AlphaBeta, TwoProtocolsAreTwoLines) {
  auto times = times_of("all_to_all", 1, 0.5);
  ASSERT_EQ(fit_protocols("all_to_all", times, 2).size(), 1U) << "one line is simpler";
  for (CollectiveTime& t : times)
    if (t.bytes > 64 << 10) t.seconds += 400e-6;
  times.push_back({"all_gather_rows", 1 << 20, 7, 1});
  const auto lines = fit_protocols("all_to_all", times, 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_GT(fit_alpha_beta("all_to_all", times, 2).worst, 0.15) << "one line would do as well";
  EXPECT_EQ(lines[1].from_bytes, (64 << 10) + 1);
  EXPECT_NEAR(lines[0].alpha_s, 20e-6, 1e-9);
  EXPECT_NEAR(lines[1].alpha_s, 420e-6, 1e-9);
  for (const AlphaBeta& line : lines) EXPECT_NEAR(line.s_per_byte, 1e-8, 1e-12);
  EXPECT_EQ(&line_for(lines, 64 << 10), &lines[0]);
  EXPECT_EQ(&line_for(lines, 1 << 20), &lines[1]);
}

}  // namespace
}  // namespace entrain::worker
