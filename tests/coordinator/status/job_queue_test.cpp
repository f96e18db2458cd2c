// Runs whose job is in the queue: `waiting`, with a squeue that says what the test wants.
#include "coordinator/status/job_queue.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "configs/cat.hpp"
#include "coordinator/status/status_file.hpp"
#include "slurm/job_record.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using tests::read_file;
using tests::run;
using tests::write_file;

class Queue : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_ / "squeue", "#!/bin/sh\necho \"$@\" >> " + (folder_ / "asked") + "\ncat " +
                                       (folder_ / "jobs") + "\nexit $(cat " + (folder_ / "code") + ")\n");
    ASSERT_EQ(::chmod((folder_ / "squeue").c_str(), 0755), 0);
    ::setenv("PATH", cat(folder_.path(), ":", path_).c_str(), 1);
    write_file(folder_ / "asked", "");
    squeue_says("");
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }

  void squeue_says(const std::string& lines, int code = 0) {
    write_file(folder_ / "jobs", lines);
    write_file(folder_ / "code", std::to_string(code));
  }
  std::string run_dir(const std::string& name = "run") {
    std::filesystem::create_directories(folder_ / name);
    return folder_ / name;
  }
  void submitted(const std::string& dir, const std::string& id, const std::string& of = "",
                 const std::string& stage = "pretrain") {
    slurm::append_job(dir, {id, stage, "2026-03-02T09:00:00Z", cat(of.empty() ? dir : of, "/job.sh")});
  }
  void stopped(const std::string& dir, int code = 75) {
    RunStatus s = tests::training(2);
    s.run_dir = dir;
    s.state = "ended";
    s.exit_code = code;
    s.reason = "SIGTERM: preempted or cancelled";
    write_status_files(dir, s);
  }
  static std::string line(const std::string& dir) { return run("entrain status " + dir).output; }

  const std::string path_ = std::getenv("PATH");
  tests::TemporaryFolder folder_;
};

TEST_F(Queue, AStoppedRunWhoseJobIsInTheQueueWaits) {
  const std::string dir = run_dir();
  stopped(dir);
  auto ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 75) << "no job was submitted: it has ended";
  submitted(dir, "43");
  squeue_says("43|N/A|PENDING|N/A|Resources\n");
  ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 77);
  EXPECT_THAT(ran.output,
              HasSubstr("  waiting: job 43 is PENDING (Resources); it stopped with exit code 75: SIGTERM"));
  EXPECT_THAT(ran.output, AllOf(HasSubstr("step 1150 of"), Not(HasSubstr("views/s")),
                                Not(HasSubstr("ranks 0")), Not(HasSubstr("exit code 77"))))
      << "where it goes on";
  EXPECT_THAT(read_file(folder_ / "asked"), HasSubstr("--jobs=43 "));
  squeue_says("slurm_load_jobs error: Invalid job id specified\n", 1);
  EXPECT_EQ(run("entrain status " + dir).code, 75) << "it was cancelled";
}

TEST_F(Queue, OnlyARunThatMayGoOnIsAskedFor) {
  const std::string dir = run_dir();
  submitted(dir, "43");
  squeue_says("43|N/A|PENDING|N/A|Resources\n");
  for (const int code : {0, 64, 90, 93}) {
    stopped(dir, code);
    EXPECT_EQ(run("entrain status " + dir).code, code);
  }
  EXPECT_EQ(read_file(folder_ / "asked"), "");
  stopped(dir, 76);
  EXPECT_EQ(run("entrain status " + dir).code, 77);
}

TEST_F(Queue, JobsOfLaterStagesAreNotThisRuns) {
  const std::string dir = run_dir(), next = run_dir("next");
  submitted(dir, "11");
  submitted(dir, "12", next, "finetune");
  submitted(next, "12", "", "finetune");
  stopped(dir);
  squeue_says("");
  EXPECT_EQ(run("entrain status " + dir).code, 75);
  EXPECT_THAT(read_file(folder_ / "asked"), HasSubstr("--jobs=11 "));
  squeue_says("12|N/A|PENDING|N/A|Dependency\n");
  const auto ran = run("entrain status " + next);
  EXPECT_EQ(ran.code, 77);
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("finetune  job 12"), HasSubstr("waiting: job 12 is PENDING (Dependency)\n")));
}

TEST_F(Queue, WhatNeverStartsIsToldWithWhatToDo) {
  const std::string dir = run_dir();
  submitted(dir, "12");
  squeue_says("12|N/A|PENDING|N/A|DependencyNeverSatisfied\n");
  EXPECT_THAT(line(dir), HasSubstr("(DependencyNeverSatisfied): a job that it waits for has failed"));
  squeue_says("");
  auto ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.output, HasSubstr("(job 12) and has not begun; no job of it is in the queue any more"));
  write_file(dir + "/slurm-12.out", "module: command not found\n");
  ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.output, AllOf(HasSubstr("its job 12 began and ended before the run did; the end of " + dir +
                                          "/slurm-12.out says why"),
                                Not(HasSubstr("has not begun"))));
  squeue_says("squeue: error: no controller\n", 1);
  ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.output, HasSubstr("whether it waits nobody can tell here: squeue: "));
}

TEST_F(Queue, ARowOfASweepIsOneElementAndSqueueIsAskedOnceForAll) {
  const std::string base = run_dir("sweep");
  write_file(base + "/sweep.jsonl",
             "{\"optim.lr\":\"0.1\"}\n{\"optim.lr\":\"0.2\"}\n{\"optim.lr\":\"0.3\"}\n");
  submitted(base, "50");
  squeue_says("50|2|PENDING|N/A|Resources\n50|1|RUNNING|2026-03-02T09:00:00|None\n");
  stopped(run_dir("sweep/row-0"), 0);
  const auto ran = run("entrain status " + base);
  EXPECT_EQ(ran.code, 77);
  EXPECT_THAT(ran.output, HasSubstr("/row-0  done "));
  EXPECT_THAT(ran.output, HasSubstr("job 50_1 is RUNNING; its supervisor has yet to come up\n"));
  EXPECT_THAT(ran.output, HasSubstr("job 50_2 is PENDING (Resources)\n"));
  const std::string asked = read_file(folder_ / "asked");
  EXPECT_EQ(std::count(asked.begin(), asked.end(), '\n'), 1) << asked;
}

TEST_F(Queue, AJobThatRunsOnWithoutItsRunIsNotAWait) {
  const std::string dir = run_dir();
  submitted(dir, "43");
  RunStatus lost = tests::training(2);
  lost.supervisor_host = "another-host";
  lost.events = {{"2026-03-02T10:00:00Z", "launch", "generation 1"}};
  write_status_files(dir, lost);
  squeue_says("43|N/A|RUNNING|2026-03-01T09:00:00|None\n");
  auto ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.output, HasSubstr("; job 43 is RUNNING"));
  squeue_says("43|N/A|RUNNING|2026-03-04T09:00:00|None\n");
  ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 77) << "it began after that launch, and has yet to come up";
  EXPECT_THAT(ran.output, AllOf(HasSubstr("waiting: job 43 is RUNNING; its supervisor has yet to come up"),
                                Not(HasSubstr("is silent"))));
  stopped(dir);
  ran = run("entrain status " + dir);
  EXPECT_EQ(ran.code, 77);
  EXPECT_THAT(ran.output, AllOf(HasSubstr("waiting: job 43 is RUNNING; its supervisor has yet to come up"),
                                Not(HasSubstr("it stopped with"))));
}

TEST_F(Queue, WatchingGoesOnWhileItWaits) {
  const std::string dir = run_dir();
  submitted(dir, "43");
  stopped(dir);
  squeue_says("43|N/A|PENDING|N/A|Resources\n");
  write_file(folder_ / "out", "");
  tests::Command watch("entrain status --watch " + dir + " > " + folder_ / "out");
  for (int i = 0; i < 600; ++i) {
    const std::string text = read_file(folder_ / "out");
    if (text.find("as of") != text.npos && text.find("as of") != text.rfind("as of")) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  stopped(dir, 0);
  EXPECT_EQ(watch.wait().code, 0);
  const std::string text = read_file(folder_ / "out");
  EXPECT_THAT(text, HasSubstr("waiting: job 43"));
  EXPECT_NE(text.find("waiting"), text.rfind("waiting"));
}

}  // namespace
}  // namespace entrain::status
