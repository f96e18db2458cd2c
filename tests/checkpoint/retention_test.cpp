// Which checkpoints stay, and how often one is made.
#include "checkpoint/retention.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "checkpoint/interval.hpp"

namespace entrain::tests {
namespace {

using checkpoint::Candidate;
using checkpoint::expired;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Steps 1 ... 8, ten minutes apart from 00:05 on; the loss falls, rises, falls.
std::vector<Candidate> older() {
  const double loss[] = {5, 3, 4, 2, 6, 1, 7, 8};
  std::vector<Candidate> all;
  for (int i = 0; i < 8; ++i) all.push_back({i + 1, 300.0 + 600.0 * i, loss[i]});
  return all;
}
const std::vector<Candidate> newest{{10, 6000, 0.5}, {9, 5400, 9}};

TEST(Retention, OnlyTheNewestStayUnlessAskedFor) {
  EXPECT_THAT(expired(older(), newest, {2, 0, 0}), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(expired({}, newest, {2, 0, 0}), IsEmpty());
}

TEST(Retention, TheFirstOfEveryHourStays) {
  // 00:05 ... 00:55 are steps 1 to 6, 01:05 and 01:15 are 7 and 8; 9 and 10 are in the second hour too.
  EXPECT_THAT(expired(older(), newest, {2, 3600, 0}), ElementsAre(2, 3, 4, 5, 6, 8));
  auto again = older();
  std::erase_if(again, [](const Candidate& c) { return c.step != 1 && c.step != 7; });
  EXPECT_THAT(expired(again, newest, {2, 3600, 0}), IsEmpty()) << "what was kept once is kept";
}

TEST(Retention, TheBestStayCountingTheNewest) {
  EXPECT_THAT(expired(older(), newest, {2, 0, 3}), ElementsAre(1, 2, 3, 5, 7, 8))
      << "10, 6 and 4 are the best";
  auto spoiled = older();
  spoiled[5].metric = std::nan("");
  spoiled[3].metric.reset();
  EXPECT_THAT(expired(spoiled, newest, {2, 0, 3}), ElementsAre(1, 4, 5, 6, 7, 8));
}

nlohmann::json record(const char* kind, const char* time, int code = -1) {
  nlohmann::json r{{"kind", kind}, {"time", time}};
  if (code >= 0) r["code"] = code;
  return r;
}

constexpr double kDay = 86400, kMidnight = 1772409600;  // 2026-03-02T00:00:00Z

TEST(Interval, FailuresAreEndsWithoutAWordOrWithAnError) {
  using checkpoint::seconds_between_failures;
  EXPECT_DOUBLE_EQ(seconds_between_failures({}, kMidnight), kDay);
  const std::vector<nlohmann::json> ledger{
      record("START", "2026-03-02T00:00:00Z"), record("COMMIT", "2026-03-02T01:00:00Z"),   // 1 h, killed
      record("START", "2026-03-02T02:00:00Z"), record("END", "2026-03-02T05:00:00Z", 75),  // 3 h, preempted
      record("START", "2026-03-02T06:00:00Z"), record("END", "2026-03-02T08:00:00Z", 76),  // 2 h, a peer gone
      record("START", "2026-03-02T10:00:00Z"), record("COMMIT", "2026-03-02T11:00:00Z")};  // 6 h and running
  EXPECT_DOUBLE_EQ(seconds_between_failures(ledger, kMidnight + 16 * 3600), (12 * 3600 + kDay) / 3);
}

TEST(Interval, YoungAndDaly) {
  EXPECT_NEAR(checkpoint::best_interval_seconds(0.05, kDay), std::sqrt(2 * 0.05 * kDay), 1e-9);
  EXPECT_NEAR(checkpoint::best_interval_seconds(0.05, kDay), 93, 0.1);
  EXPECT_EQ(checkpoint::best_interval_seconds(1e-6, 3600), 10);
  EXPECT_EQ(checkpoint::best_interval_seconds(600, 30 * kDay), 1800);
}

}  // namespace
}  // namespace entrain::tests
