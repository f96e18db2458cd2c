#include "coordinator/status/status_file.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "configs/error.hpp"
#include "coordinator/status/metrics.hpp"
#include "coordinator/status/run_files.hpp"
#include "coordinator/status/utc_time.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

TEST(StatusFile, ReadsBackAsTheSameDocument) {
  const tests::TemporaryFolder folder;
  const RunStatus written = tests::training(3);
  write_status_files(folder.path(), written);
  const auto read = status_of(json_file(folder / "status.json"));
  ASSERT_TRUE(read);
  EXPECT_EQ(status_json(*read), status_json(written));
  EXPECT_EQ(read->ranks.size(), 3U);
  EXPECT_EQ(read->loss_curve.size(), 400U);
  EXPECT_EQ(tests::read_file(folder / "metrics.prom"), metrics_text(written));
}

TEST(StatusFile, OfAnEndedRunNobodyIsToldThatItLives) {
  const tests::TemporaryFolder folder;
  RunStatus s = tests::training(3);
  s.ranks[1].behind = true;
  s.ranks[2].health = "dead";
  const RunStatus alive = s;
  EXPECT_EQ(status_json(settled(s)), status_json(s)) << "it trains";
  s.state = "ended";
  s.exit_code = 0;
  write_status_files(folder.path(), s);
  const std::string prom = tests::read_file(folder / "metrics.prom");
  for (const char* line :
       {"rank=\"0\",host=\"node1\",health=\"alive\"} 0\n", "rank=\"0\",host=\"node1\",health=\"ended\"} 1\n",
        "rank=\"2\",host=\"node1\",health=\"dead\"} 1\n",
        "entrain_up{run_id=\"a-1\",stage=\"pretrain\"} 0\n"})
    EXPECT_NE(prom.find(line), prom.npos) << line;
  EXPECT_EQ(prom.find("health=\"alive\"} 1"), prom.npos);
  EXPECT_EQ(prom.find("entrain_eta_seconds"), prom.npos);
  EXPECT_NE(metrics_text(alive).find("health=\"alive\"} 1"), prom.npos);
  const auto read = status_of(json_file(folder / "status.json"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ranks[1].health, "ended");
  EXPECT_FALSE(read->ranks[1].behind);
  EXPECT_EQ(read->ranks[1].beat.seconds_in_phase, 0);
  const auto older = status_of(nlohmann::json(s));  // of a server that told it as it was
  ASSERT_TRUE(older);
  EXPECT_EQ(status_json(*older), status_json(*read));
}

TEST(StatusFile, NoReaderSeesHalfOfOne) {
  const tests::TemporaryFolder folder;
  const RunStatus few = tests::training(1), many = tests::training(200);
  const std::string one = status_json(few, 1) + '\n', other = status_json(many, 1) + '\n';
  ASSERT_GT(other.size(), 4096U + one.size());
  write_status_files(folder.path(), few);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; i < 200 && !stop; ++i) write_status_files(folder.path(), i % 2 == 0 ? many : few);
    stop = true;
  });
  int seen = 0;
  while (!stop) {
    const std::string text = tests::read_file(folder / "status.json");
    if (text != one && text != other)
      stop = true, ADD_FAILURE() << "half a document of " << text.size() << " bytes";
    ++seen;
  }
  writer.join();
  EXPECT_GT(seen, 10);
}

TEST(StatusFile, HostileTextAndNumbersThatAreNoneStillAreADocument) {
  RunStatus s = tests::training(1);
  s.reason = s.ranks[0].host = tests::kHostile;
  s.loss = s.goodput = std::nan("");
  s.loss_curve.emplace_back(1201, std::nan(""));
  const std::string text = status_json(s);
  EXPECT_EQ(text.find('\n'), text.npos);
  const auto read = status_of(nlohmann::json::parse(text));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->loss);
  EXPECT_EQ(read->loss_curve.size(), 400U) << "the point that is no number is left out";
  EXPECT_EQ(read->reason, tests::kHostile.substr(0, tests::kHostile.size() - 1) + "\xef\xbf\xbd");
}

TEST(StatusFile, ADiskThatRefusesIsACheckpointErrorAndTheOldFileStays) {
  EXPECT_THROW(write_status_files("/proc/no/such/folder", tests::training(1)), CheckpointError);
}

TEST(StatusFile, WhatIsNoDocumentIsNone) {
  EXPECT_FALSE(status_of(nlohmann::json()));
  EXPECT_FALSE(status_of(nlohmann::json::array({1})));
  auto json = nlohmann::json(tests::training(1));
  ASSERT_TRUE(status_of(json));
  json["step"] = "many";
  EXPECT_FALSE(status_of(json));
  json = tests::training(1);
  json["ranks"][0]["pid"] = nullptr;
  EXPECT_FALSE(status_of(json));
}

TEST(UtcTime, ReadsOnlyWhatUtcNowWrites) {
  EXPECT_EQ(parse_utc("2026-03-02T10:04:11Z"), 1772445851);
  EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), 0);
  for (const char* text : {"", "2026-03-02 10:04:11Z", "2026-03-02T10:04:11", "2026-03-02T10:04:11ZZ", "now"})
    EXPECT_FALSE(parse_utc(text)) << text;
  EXPECT_EQ(seconds_between("2026-03-02T10:04:11Z", "2026-03-02T10:05:12Z"), 61);
  EXPECT_EQ(seconds_between("2026-03-02T10:05:12Z", "2026-03-02T10:04:11Z"), 0);
  EXPECT_FALSE(seconds_between("soon", "2026-03-02T10:05:12Z"));
}

}  // namespace
}  // namespace entrain::status
