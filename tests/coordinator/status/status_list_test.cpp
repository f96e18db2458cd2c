// Several runs: a line for each.
#include "coordinator/status/status_list.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/log.hpp"
#include "coordinator/status/status_file.hpp"
#include "coordinator/status/sweep_rows.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::run;
using tests::write_file;

TEST(StatusList, TellsOfEachRunWhereItStands) {
  RunStatus trains = tests::training(2), failed = trains, waits = trains, fresh;
  failed.run_dir = "runs/longer";
  failed.state = "ended";
  failed.exit_code = 93;
  failed.reason = "three generations in a row failed";
  waits.state = "waiting";
  waits.reason = "job 43 is PENDING (Resources)";
  fresh.run_dir = "c";
  EXPECT_EQ(status_list({trains, settled(failed), waits, fresh}, {std::string::npos}),
            "run          state     step            loss  views/s\n"
            "runs/a       training  1200 of 5000  3.2500   4863.5  53m50s to go\n"
            "runs/longer  exit 93   1200 of 5000  3.2500        -  three generations in a row failed\n"
            "runs/a       waiting   1200 of 5000  3.2500        -  job 43 is PENDING (Resources)\n"
            "c            starting  -                  -        -\n");
}

TEST(SweepRows, AreThoseThatBeganAndThoseThatAreToCome) {
  const tests::TemporaryFolder base;
  EXPECT_THAT(sweep_rows(base.path()), IsEmpty());
  for (const char* name : {"row-10", "row-2", "row-x", "other"})
    std::filesystem::create_directory(base / name);
  write_file(base / "sweep.jsonl", "{}\n{}\n");
  EXPECT_THAT(sweep_rows(base.path()),
              ElementsAre(base / "row-0", base / "row-1", base / "row-2", base / "row-10"));
  EXPECT_EQ(sweep_row_of("runs/sw/row-12/"), 12);
  for (const char* other : {"row-", "row-1x", "row--1", "arow-1"}) EXPECT_FALSE(sweep_row_of(other)) << other;
}

TEST(StatusListCommand, TakesRunsAndSweepsAndItsCodeIsThatOfTheWorst) {
  const tests::TemporaryFolder folder;
  const auto has = [&](const std::string& name, const std::string& state, int code) {
    std::filesystem::create_directories(folder / name);
    RunStatus s = tests::training(2);
    s.state = state;
    s.exit_code = code;
    s.supervisor_host = "another-host";
    s.now = utc_now();
    write_status_files(folder / name, s);
  };
  has("sw/row-0", "ended", 0);
  has("sw/row-1", "training", -1);
  has("other", "ended", 93);
  auto ran = run("entrain status " + folder / "sw");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, HasSubstr("/sw/row-0  done "));
  EXPECT_THAT(ran.output, HasSubstr("/sw/row-1  training "));
  ran = run(cat("cd ", folder.path(), " && entrain status sw/row-* none other"));
  EXPECT_EQ(ran.code, 93) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("no such folder"));
  EXPECT_THAT(ran.output, HasSubstr("\nsw/row-0  done "));
  EXPECT_EQ(run(cat("cd ", folder.path(), " && entrain status sw/row-* none")).code, 65);
  const auto json = nlohmann::json::parse(run("entrain status --json " + folder / "sw").output);
  ASSERT_TRUE(json.is_array());
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(json[1]["state"], "training");
  EXPECT_EQ(nlohmann::json::parse(run("entrain status --json " + folder / "other").output)["exit_code"], 93);
}

}  // namespace
}  // namespace entrain::status
