// Where a run stands by its folder alone, on folders made by hand.
#include "coordinator/status/from_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "checkpoint/ledger.hpp"
#include "checkpoint/run_lock.hpp"
#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "coordinator/status/run_files.hpp"
#include "coordinator/status/status_file.hpp"
#include "coordinator/status/utc_time.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using tests::write_file;

constexpr std::int64_t kNow = 1772445851;  // 2026-03-02T10:04:11Z

std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&time));
  return text;
}

void written_at_time(const std::string& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

// A run of `mpirun entrain pretrain`, made by hand.
class FromFiles : public ::testing::Test {
 protected:
  RunStatus look() const {
    const auto status = status_from_files(dir(), utc(kNow));
    if (!status) throw std::runtime_error("no run there");
    return *status;
  }
  std::string dir() const { return folder_.path(); }
  std::string file(const std::string& name) const { return folder_ / name; }

  void start(std::int64_t time, int world = 4, std::int64_t from = 0) {
    checkpoint::Ledger(dir()).append({{"kind", "START"},
                                      {"time", utc(time)},
                                      {"stage", "pretrain"},
                                      {"world", world},
                                      {"from_step", from},
                                      {"total_steps", 800}});
  }
  void commit(std::int64_t step, std::int64_t parent, std::int64_t time) {
    checkpoint::Ledger(dir()).append({{"kind", "COMMIT"},
                                      {"time", utc(time)},
                                      {"step", step},
                                      {"parent", parent},
                                      {"span", {{"first", parent + 1}, {"last", step}}}});
  }
  void end(int code, const std::string& reason, std::int64_t time) {
    checkpoint::Ledger(dir()).append(
        {{"kind", "END"}, {"time", utc(time)}, {"code", code}, {"reason", reason}});
  }
  void metrics(std::int64_t steps, std::int64_t time) {
    std::string text;
    for (std::int64_t step = 1; step <= steps; ++step)
      text += nlohmann::json{{"step", step},
                             {"loss", 6.0 - 0.001 * static_cast<double>(step)},
                             {"step_s", 0.5},
                             {"views_per_s", 128.0}}
                  .dump() +
              '\n';
    write_file(file("metrics.jsonl"), text);
    written_at_time(file("metrics.jsonl"), time);
  }
  void lock(const std::string& host, std::int64_t pid, std::int64_t ticks = -1,
            std::int64_t time = kNow - 1000) {
    write_file(file("run.lock"), nlohmann::json{{"host", host}, {"pid", pid}, {"start_ticks", ticks}}.dump());
    written_at_time(file("run.lock"), time);
  }
  void lock_by_this_process() { lock(host_name(), ::getpid(), checkpoint::process_start_ticks(::getpid())); }

  tests::TemporaryFolder folder_;
};

TEST_F(FromFiles, AFolderWithoutARunIsNone) {
  EXPECT_FALSE(status_from_files(dir(), utc(kNow)));
  EXPECT_FALSE(status_from_files(file("missing"), utc(kNow)));
  write_file(file("notes.txt"), "hello");
  EXPECT_FALSE(status_from_files(dir(), utc(kNow)));
}

TEST_F(FromFiles, ABareRunTrainsWhileItsProcessHoldsTheLock) {
  start(kNow - 100);
  commit(40, 0, kNow - 60);
  commit(80, 40, kNow - 20);
  metrics(120, kNow - 3);
  lock_by_this_process();
  const RunStatus s = look();
  EXPECT_EQ(s.state, "training");
  EXPECT_THAT(s.reason, HasSubstr(cat("no supervisor; process ", ::getpid(), " on ", host_name())));
  EXPECT_THAT(s.reason, HasSubstr("last step 3s ago"));
  EXPECT_EQ(s.stage, "pretrain");
  EXPECT_EQ(s.world, 4);
  EXPECT_EQ(s.generation, 1);
  EXPECT_EQ(s.step, 120);
  EXPECT_EQ(s.total_steps, 800);
  EXPECT_EQ(s.committed, 80);
  ASSERT_EQ(s.commits.size(), 2U);
  EXPECT_EQ(s.commits[1].time, utc(kNow - 20));
  EXPECT_NEAR(s.loss.value_or(0), 5.88, 1e-9);
  EXPECT_EQ(s.views_per_second, 128);
  EXPECT_EQ(s.eta_seconds, 340);
  ASSERT_TRUE(s.goodput);
  EXPECT_NEAR(*s.goodput, 60.0 / 97, 1e-9);  // 120 steps of 0.5 s, the last one 97 s after the start
  EXPECT_EQ(s.loss_curve.size(), 120U);
  EXPECT_EQ(s.events.size(), 3U);
  EXPECT_EQ(s.events[0].kind, "launch");
  EXPECT_EQ(s.exit_code, -1);
}

TEST_F(FromFiles, AProcessThatIsGoneLeftTheRunToNobody) {
  start(kNow - 100);
  metrics(7, kNow - 80);
  lock(host_name(), 999999999);
  EXPECT_EQ(look().state, "unknown");
  EXPECT_THAT(look().reason, HasSubstr("its ranks are gone without a word"));
  EXPECT_THAT(look().reason, HasSubstr("last step 1m20s ago"));
  lock(host_name(), ::getpid(), 1);  // the pid lives again, as another process
  EXPECT_EQ(look().state, "unknown");
  std::filesystem::remove(file("run.lock"));
  EXPECT_EQ(look().state, "unknown");
}

TEST_F(FromFiles, AProcessElsewhereIsBelievedWhileStepsAreWritten) {
  start(kNow - 1000);
  lock("another-host", 4242);
  metrics(7, kNow - 30);
  EXPECT_EQ(look().state, "training");
  metrics(7, kNow - 300);
  EXPECT_EQ(look().state, "unknown");
  EXPECT_THAT(look().reason, HasSubstr("nothing new from process 4242 on another-host"));
  lock("another-host", 4242, -1, kNow - 60);  // has just begun: there is no step yet
  EXPECT_EQ(look().state, "training");
  std::filesystem::remove(file("metrics.jsonl"));
  EXPECT_EQ(look().state, "starting");
}

TEST_F(FromFiles, AnEndIsAnEndUntilTheNextStart) {
  start(kNow - 1000);
  commit(800, 0, kNow - 500);
  end(0, "done", kNow - 499);
  RunStatus s = look();
  EXPECT_EQ(s.state, "ended");
  EXPECT_EQ(s.exit_code, 0);
  EXPECT_EQ(s.step, 800) << "no metrics.jsonl: what is committed was trained";
  start(kNow - 100);
  s = look();
  EXPECT_EQ(s.state, "unknown");
  EXPECT_EQ(s.exit_code, -1);
  EXPECT_EQ(s.failures, 0);
  end(90, "loss is nan", kNow - 90);
  s = look();
  EXPECT_EQ(s.exit_code, 90);
  EXPECT_EQ(s.reason, "loss is nan");
  EXPECT_EQ(s.failures, 1);
  EXPECT_EQ(s.generation, 2);
}

TEST_F(FromFiles, StartsWithoutAnEndWereFailures) {
  start(kNow - 900);
  start(kNow - 800);
  start(kNow - 700);
  lock_by_this_process();
  EXPECT_EQ(look().failures, 2);
  EXPECT_EQ(look().state, "starting");
}

TEST_F(FromFiles, ExitJsonCountsIfItIsYoungerThanTheStart) {
  start(kNow - 100);
  write_file(file("exit.json"), R"({"code": 70, "verdict": "stop", "reason": "a bug"})");
  written_at_time(file("exit.json"), kNow - 200);
  EXPECT_EQ(look().state, "unknown") << "of the generation before";
  written_at_time(file("exit.json"), kNow - 50);
  EXPECT_EQ(look().exit_code, 70);
  EXPECT_EQ(look().reason, "a bug");
}

TEST_F(FromFiles, AFineTuningHasNoLedger) {
  write_file(file("exit.json"), R"({"code": 0, "verdict": "done", "reason": "done"})");
  write_file(file("metrics.json"), R"({"stage": "finetune"})");
  EXPECT_EQ(look().state, "ended");
  EXPECT_EQ(look().exit_code, 0);
  EXPECT_EQ(look().stage, "finetune");
}

TEST_F(FromFiles, TornAndForeignFilesAreNoEndOfTheWorld) {
  start(kNow - 100);
  commit(40, 0, kNow - 60);
  metrics(50, kNow - 3);
  std::string text = tests::read_file(file("metrics.jsonl"));
  write_file(file("metrics.jsonl"), "not json\n[1,2]\n{\"step\":\"x\"}\n" + text + "{\"step\": 51, \"lo");
  text = tests::read_file(file("ledger.jsonl"));
  write_file(file("ledger.jsonl"), text + "{\"kind\":\"COMM");
  for (const char* name : {"status.json", "exit.json", "run.lock", "control.json", "metrics.json"})
    write_file(file(name), "{\"state\": \"train");
  write_file(file("events.jsonl"), "{\"time\":1,\"kind\":[],\"text\":null}\n\n{\"kind\":\"hang\"}\n{\"ki");
  const RunStatus s = look();
  EXPECT_EQ(s.step, 50);
  EXPECT_EQ(s.committed, 40);
  EXPECT_EQ(s.state, "unknown");
  ASSERT_EQ(s.events.size(), 2U);
  EXPECT_EQ(s.events[1].kind, "hang");
  for (const char* other :
       {"[]", "1", "\"x\"", "{\"code\":\"a\"}", "{\"host\":1,\"pid\":\"x\"}", "\xff\xfe", ""}) {
    for (const char* name : {"status.json", "exit.json", "run.lock"}) write_file(file(name), other);
    EXPECT_EQ(look().state, "unknown") << other;
  }
}

TEST_F(FromFiles, ABrokenLedgerIsToldAndTheRestStillServes) {
  start(kNow - 100);
  commit(40, 0, kNow - 60);
  std::string text = tests::read_file(file("ledger.jsonl"));
  text[text.find("pretrain")] = 'P';
  write_file(file("ledger.jsonl"), text);
  metrics(50, kNow - 3);
  const RunStatus s = look();
  EXPECT_EQ(s.step, 50);
  ASSERT_FALSE(s.events.empty());
  EXPECT_THAT(s.events.back().text, HasSubstr("ledger.jsonl:1"));
}

TEST_F(FromFiles, StatusJsonIsBelievedWhileItIsFresh) {
  RunStatus told = tests::training(4);
  told.supervisor_host = "another-host";
  told.now = utc(kNow - 20);
  write_status_files(dir(), told);
  RunStatus s = look();
  EXPECT_EQ(s.state, "training");
  EXPECT_EQ(s.ranks.size(), 4U);
  told.now = utc(kNow - 180);
  write_status_files(dir(), told);
  s = look();
  EXPECT_EQ(s.state, "unknown");
  EXPECT_EQ(s.reason,
            "its supervisor (process 4242 on another-host) is silent; last heard 3m00s ago, training");
  EXPECT_EQ(s.now, utc(kNow)) << "ages are from now, not from what was last heard";
  for (const RankStatus& r : s.ranks) EXPECT_EQ(r.health, "unknown");
  told.state = "ended";
  told.exit_code = 75;
  write_status_files(dir(), told);
  EXPECT_EQ(look().state, "ended");
  EXPECT_EQ(look().exit_code, 75);
}

TEST_F(FromFiles, AnEndThatOnlyTheJobsScriptToldIsLaterThanThatOfASupervisor) {
  RunStatus told = tests::training(2);
  told.state = "ended";
  told.exit_code = 75;
  told.reason = "SIGTERM: preempted or cancelled";
  told.now = utc(kNow - 100);
  write_file(file("status.json"), status_json(told));
  write_file(file("exit.json"), R"({"code":3,"verdict":"stop","reason":"job 12 ended with 3 in its setup"})");
  written_at_time(file("exit.json"), kNow - 99);
  EXPECT_EQ(look().exit_code, 75) << "of the same end";
  written_at_time(file("exit.json"), kNow - 20);
  EXPECT_EQ(look().state, "ended");
  EXPECT_EQ(look().exit_code, 3);
  EXPECT_EQ(look().reason, "job 12 ended with 3 in its setup");
}

TEST_F(FromFiles, ASupervisorOfThisMachineIsGoneAtOnce) {
  RunStatus told = tests::training(4);
  told.supervisor_host = host_name();
  told.supervisor_pid = 999999999;
  told.now = utc(kNow - 5);
  write_status_files(dir(), told);
  EXPECT_EQ(look().state, "unknown");
  EXPECT_THAT(look().reason, HasSubstr("is gone; last heard 5s ago, training"));
  told.supervisor_pid = ::getpid();
  write_status_files(dir(), told);
  EXPECT_EQ(look().state, "training");
}

TEST_F(FromFiles, RanksThatOutliveTheirSupervisorAreSeen) {
  RunStatus told = tests::training(4);
  told.supervisor_host = host_name();
  told.supervisor_pid = 999999999;
  told.now = utc(kNow - 40);
  write_status_files(dir(), told);
  start(kNow - 100);
  lock_by_this_process();
  metrics(60, kNow - 2);
  EXPECT_EQ(look().state, "training");
  EXPECT_EQ(look().reason, cat("its supervisor (process 999999999 on ", host_name(),
                               ") is gone, its ranks go on; last step 2s ago"));
  metrics(60, kNow - 600);
  EXPECT_EQ(look().state, "unknown");
  end(0, "done", kNow - 10);
  std::filesystem::remove(file("run.lock"));
  EXPECT_EQ(look().state, "ended");
}

TEST_F(FromFiles, ALaterRunWithoutSupervisorHidesAnOldStatusJson) {
  RunStatus told = tests::training(4);
  told.state = "ended";
  told.exit_code = 93;
  told.now = utc(kNow - 5000);
  write_status_files(dir(), told);
  start(kNow - 100, 2);
  lock_by_this_process();
  EXPECT_EQ(look().state, "starting");
  EXPECT_EQ(look().exit_code, -1);
  EXPECT_EQ(look().world, 2);
}

TEST_F(FromFiles, CurvesOfALongRunAreThinnedEvenly) {
  std::string text;
  for (int step = 1; step <= 50000; ++step)
    text +=
        nlohmann::json{{"step", step}, {"loss", 1.0 / step}, {"note", std::string(20, 'x')}}.dump() + '\n';
  ASSERT_GT(text.size(), 2000000U);
  write_file(file("metrics.jsonl"), text + "{\"step\": 50001");
  const RunStatus s = look();
  EXPECT_EQ(s.step, 50000);
  ASSERT_GE(s.loss_curve.size(), 350U);
  EXPECT_LE(s.loss_curve.size(), 400U);
  EXPECT_EQ(s.loss_curve.front().first, 1);
  EXPECT_THAT(s.loss_curve.back(), Pair(50000, 1.0 / 50000));
  for (std::size_t i = 1; i < s.loss_curve.size(); ++i) {
    EXPECT_GT(s.loss_curve[i].first, s.loss_curve[i - 1].first);
    EXPECT_LT(s.loss_curve[i].first - s.loss_curve[i - 1].first, 400);
  }
}

TEST(JsonLines, EveryLineOnceWhereThereAreFew) {
  const tests::TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30; ++i)
    text += nlohmann::json{{"i", i}, {"pad", std::string(i * 7 % 50, 'x')}}.dump() + '\n';
  write_file(folder / "a.jsonl", text);
  const auto all = json_lines(folder / "a.jsonl", 400, 20);
  ASSERT_EQ(all.size(), 30U);
  for (int i = 0; i < 30; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)]["i"], i);
  const auto last = json_lines(folder / "a.jsonl", 3, 3);
  ASSERT_EQ(last.size(), 3U);
  EXPECT_EQ(last[0]["i"], 27);
  EXPECT_TRUE(json_lines(folder / "none", 5, 5).empty());
}

}  // namespace
}  // namespace entrain::status
