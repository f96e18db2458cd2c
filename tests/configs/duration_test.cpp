#include "configs/duration.hpp"

#include <gtest/gtest.h>

#include "configs/error.hpp"

namespace entrain {
namespace {

TEST(Duration, UnitsAreRead) {
  EXPECT_EQ(parse_duration("120s"), 120);
  EXPECT_EQ(parse_duration("2m"), 120);
  EXPECT_EQ(parse_duration("1.5h"), 5400);
  EXPECT_EQ(parse_duration("1d"), 86400);
  EXPECT_EQ(parse_duration("0.25s"), 0.25);
}

TEST(Duration, EverythingElseIsRefused) {
  for (const auto* text : {"", "120", "s", "-3s", "0s", "nans", "infs", "2 m", "2min", "1e400s"})
    EXPECT_THROW(parse_duration(text), ConfigError) << text;
}

TEST(Duration, TextIsShort) {
  EXPECT_EQ(duration_text(4.2), "4s");
  EXPECT_EQ(duration_text(95), "1m35s");
  EXPECT_EQ(duration_text(8130), "2h15m");
  EXPECT_EQ(duration_text(2 * 86400 + 5 * 3600), "2d5h");
  EXPECT_EQ(duration_text(86400 + 60), "1d");
  EXPECT_EQ(duration_text(1.0 / 0.0), "?");
}

TEST(CommitInterval, StepsOrTime) {
  EXPECT_EQ(parse_commit_interval("500steps").steps, 500);
  EXPECT_EQ(parse_commit_interval("500steps").seconds, 0);
  EXPECT_EQ(parse_commit_interval("1step").steps, 1);
  EXPECT_EQ(parse_commit_interval("2m").seconds, 120);
  EXPECT_EQ(parse_commit_interval("2m").steps, 0);
  for (const auto* text : {"", "0steps", "-1steps", "500", "1.5steps", "never"})
    EXPECT_THROW(parse_commit_interval(text), ConfigError) << text;
}

}  // namespace
}  // namespace entrain
