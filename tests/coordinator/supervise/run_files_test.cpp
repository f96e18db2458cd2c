// What the supervisor keeps in the run's folder, and what it reads there.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "configs/error.hpp"
#include "coordinator/exit_file.hpp"
#include "coordinator/supervise/control_file.hpp"
#include "coordinator/supervise/fleet.hpp"
#include "coordinator/supervise/launch_words.hpp"
#include "coordinator/supervise/metrics_tail.hpp"
#include "coordinator/supervise/run_events.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using supervise::ControlFile;
using supervise::Fleet;
using supervise::MetricsTail;
using supervise::place;
using supervise::Placement;
using supervise::RunEvents;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

void append(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

TEST(ControlFile, IsReadAsItWasWrittenOrNotAtAll) {
  const TemporaryFolder dir;
  EXPECT_FALSE(ControlFile::read(dir.path()));
  ControlFile file;
  file.address = "127.0.0.1", file.port = 4711, file.http = "127.0.0.1:80", file.run_id = "00ff",
  file.host = "h";
  file.pid = 12, file.generation = 3, file.launcher_pid = 99, file.launcher_ticks = 5, file.world = 4,
  file.ranks_per_node = 2;
  file.nodes = {"n1", "n2"};
  file.write(dir.path());
  const auto read = ControlFile::read(dir.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->port, 4711);
  EXPECT_EQ(read->launcher_ticks, 5);
  EXPECT_THAT(read->nodes, ElementsAre("n1", "n2"));
  for (const char* text : {"", "{", "[]", R"({"address": 5})", R"({"address": "a", "port": "b"})"}) {
    write_file(dir / "control.json", text);
    EXPECT_FALSE(ControlFile::read(dir.path())) << text;
  }
}

TEST(RunEvents, CountFailuresSinceTheLastCommitOverSupervisors) {
  const TemporaryFolder dir;
  {
    RunEvents events(dir.path());
    events.add("launch", "generation 1");
    events.add("exit", "bad");
    events.add("commit", "step 5 is committed");
    events.add("exit", "bad");
    events.add("exit", "bad");
    EXPECT_EQ(events.past().cycles, 2);
  }
  append(dir / "events.jsonl", "{\"torn");
  RunEvents again(dir.path());
  EXPECT_EQ(again.past().cycles, 2);
  EXPECT_EQ(again.past().failures, 3);
  EXPECT_EQ(again.newest().size(), 5U);
  EXPECT_FALSE(again.first_launch().empty());
  again.add("end", "exit 93");
  EXPECT_EQ(RunEvents(dir.path()).past().cycles, 0);  // somebody looked at it and starts again
}

TEST(RunEvents, TimeBetweenAnEndAndTheNextLaunchIsIdle) {
  const TemporaryFolder dir;
  const auto event = [](const char* time, const char* kind) {
    return std::string(R"({"time":"2026-03-02T)") + time + R"(Z","kind":")" + kind + R"(","text":""})" + "\n";
  };
  write_file(dir / "events.jsonl", event("10:00:00", "launch") + event("10:10:00", "exit") +
                                       event("10:10:30", "launch") + event("10:20:00", "end") +
                                       event("12:20:00", "launch") + event("12:30:00", "adopt"));
  EXPECT_EQ(RunEvents(dir.path()).idle_seconds(), 7200);
}

TEST(MetricsTail, AStalledStepIsNotAllProgress) {
  const TemporaryFolder dir;
  std::string text;
  for (int step = 1; step <= 11; ++step)
    text += "{\"step\":" + std::to_string(step) + ",\"step_s\":" + (step == 11 ? "17" : "1") + "}\n";
  write_file(dir / "metrics.jsonl", text);
  MetricsTail tail(dir.path());
  tail.read();
  EXPECT_GT(tail.seconds_of_steps(), 12);
  EXPECT_LT(tail.seconds_of_steps(), 15);
}

TEST(MetricsTail, FollowsTheFileAndForgetsWhatAResumeCutsOff) {
  const TemporaryFolder dir;
  const std::string path = dir / "metrics.jsonl";
  MetricsTail tail(dir.path());
  status::RunStatus status;
  status.state = "training";
  tail.read();
  tail.fill(status);
  EXPECT_FALSE(status.loss);
  append(path, R"({"step":1,"loss":5.0,"step_s":2.0,"views_per_s":10})"
               "\n"
               R"({"step":2,"loss":4.0,"ste)");
  tail.read();
  tail.fill(status);
  EXPECT_EQ(status.step, 1);
  append(path, R"(p_s":2.0,"views_per_s":10})"
               "\n");
  tail.read();
  tail.fill(status);
  EXPECT_EQ(status.step, 2);
  EXPECT_EQ(status.loss, 4.0);
  EXPECT_EQ(tail.seconds_of_steps(), 4);
  EXPECT_EQ(status.loss_curve.size(), 2U);
  write_file(path, R"({"step":1,"loss":5.0,"step_s":2.0,"views_per_s":10})"
                   "\n");
  status = {};
  status.state = "training";
  tail.read();
  tail.fill(status);
  EXPECT_EQ(status.step, 1);
  EXPECT_EQ(tail.seconds_of_steps(), 2);
}

TEST(MetricsTail, OfTheGenerationBeforeOnlyTheCurvesAreShown) {
  const TemporaryFolder dir;
  write_file(dir / "metrics.jsonl", R"({"step":7,"loss":5.0,"step_s":2.0,"views_per_s":10})"
                                    "\n");
  MetricsTail tail(dir.path());
  tail.read();
  for (const char* state : {"starting", "recovering", "training"}) {
    status::RunStatus status;
    status.state = state;
    status.total_steps = 20;
    status.step = 5;  // where it goes on
    tail.fill(status);
    const bool trains = status.state == "training";
    EXPECT_EQ(status.step, trains ? 7 : 5) << state;
    EXPECT_EQ(status.loss.has_value(), trains) << state;
    EXPECT_EQ(status.views_per_second.has_value(), trains) << state;
    EXPECT_EQ(status.eta_seconds.has_value(), trains) << state;
    EXPECT_EQ(status.loss_curve.size(), 1U) << state;
  }
}

TEST(MetricsTail, WhatNoLineSaysIsNotZero) {
  const TemporaryFolder dir;
  write_file(dir / "metrics.jsonl", R"({"step":1,"val_auc":0.5})"
                                    "\n");
  MetricsTail tail(dir.path());
  tail.read();
  status::RunStatus status;
  status.state = "training";
  status.total_steps = 4;
  tail.fill(status);
  EXPECT_EQ(status.step, 1);
  EXPECT_FALSE(status.loss || status.views_per_second || status.step_seconds || status.eta_seconds);
  EXPECT_TRUE(status.loss_curve.empty() && status.speed_curve.empty());
}

TEST(MetricsTail, CurvesOfAMillionStepsStaySmallAndKeepTheirShape) {
  const TemporaryFolder dir;
  std::string text;
  for (int step = 1; step <= 5000; ++step)
    text += "{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(step) +
            ",\"step_s\":1,\"views_per_s\":1}\n";
  write_file(dir / "metrics.jsonl", text);
  MetricsTail tail(dir.path());
  tail.read();
  status::RunStatus status;
  status.state = "training";
  tail.fill(status);
  EXPECT_LE(status.loss_curve.size(), 400U);
  EXPECT_GE(status.loss_curve.size(), 200U);
  for (const auto& [step, loss] : status.loss_curve) EXPECT_EQ(static_cast<double>(step), loss);
  EXPECT_EQ(status.step, 5000);
}

TEST(ExitFile, IsReadBackAndGarbageIsNone) {
  const TemporaryFolder dir;
  EXPECT_FALSE(coordinator::read_exit(dir.path()));
  coordinator::write_exit(dir.path(), {93, "why \xff"});
  ASSERT_TRUE(coordinator::read_exit(dir.path()));
  EXPECT_EQ(coordinator::read_exit(dir.path())->code, 93);
  write_file(dir / "exit.json", "{\"code\": \"x\"}");
  EXPECT_FALSE(coordinator::read_exit(dir.path()));
  coordinator::remove_exit(dir.path());
  EXPECT_FALSE(std::filesystem::exists(dir / "exit.json"));
}

TEST(Fleet, SparesComeInOrderAndLanesAreTheMost) {
  const Fleet fleet{{"a", "b", "c", "d"}, 4, 3, 4, 10};
  EXPECT_THAT(place(fleet, {}).nodes, ElementsAre("a", "b", "c"));
  EXPECT_EQ(place(fleet, {}).ranks, 10);
  EXPECT_EQ(place(fleet, {}).ranks_per_node, 4);
  EXPECT_THAT(place(fleet, {"b"}).nodes, ElementsAre("a", "c", "d"));
  EXPECT_EQ(place(fleet, {"a", "b", "c"}).ranks, 4);
  EXPECT_EQ(place(fleet, {"a", "b", "c", "d"}).ranks, 0);
  EXPECT_EQ(place({{"a"}, 1, 1, 2, 8}, {}).ranks, 0);  // fewer than min_ranks
}

TEST(LaunchWords, OfSrunAskForNoMoreThanTheNodesThatAreLeft) {
  SlurmSection slurm;
  slurm.cpus_per_rank = 3;
  const auto launch =
      supervise::launch_words({{"n1", "n3"}, 4, 2}, "srun", slurm, {"w", "pretrain", "c.yaml"}, "id", 7);
  for (const char* word :
       {"--mpi=pmix", "--overlap", "--no-kill", "--nodes=2", "--ntasks=4", "--distribution=block",
        "--ntasks-per-node=2", "--nodelist=n1,n3", "--cpus-per-task=3"})
    EXPECT_THAT(launch.words, Contains(word));
  EXPECT_EQ(launch.words.back(), "c.yaml");
  EXPECT_EQ(launch.environment.at("ENTRAIN_GENERATION"), "7");
}

TEST(LaunchWords, OfMpirunOnOneMachineNameNoHost) {
  const auto launch = supervise::launch_words({{""}, 4, 4}, "mpirun", {}, {"w"}, "id", 1);
  EXPECT_THAT(launch.words, Not(Contains("--host")));
  EXPECT_THAT(launch.words, Contains("4"));
  const auto job = supervise::launch_words({{"n1", "n2"}, 4, 2}, "mpirun", {}, {"w"}, "id", 1);
  EXPECT_THAT(job.words, Contains("n1:2,n2:2"));
  EXPECT_EQ(job.environment.at("SLURM_OVERLAP"), "1");
  EXPECT_EQ(job.environment.at("SRUN_CPUS_PER_TASK"), "");
}

}  // namespace
}  // namespace entrain::tests
