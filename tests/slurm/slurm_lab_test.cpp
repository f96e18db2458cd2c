// `entrain submit` against a real Slurm on this machine (../shared/slurm-lab), with a stand-in for the run. Skipped where
// the lab or Slurm is not there. Some two minutes on an idle machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "slurm/job_record.hpp"
#include "slurm/quote.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::slurm {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using tests::Ran;

const std::string kLab = ENTRAIN_SOURCE_DIR "/../shared/slurm-lab/cluster.sh";
const std::string kConfigs = ENTRAIN_SOURCE_DIR "/configs/";

class Lab : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& needed : {kLab, std::string("/usr/sbin/slurmctld")})
      if (!std::filesystem::exists(needed)) GTEST_SKIP() << "needs " << needed;
    // Ends the cluster also when this process is killed.
    const std::string down =
        "SLURM_LAB_STATE=" + (folder_ / "state") + " " + kLab + " down --purge --dir " + (folder_ / "c");
    const Ran up =
        tests::run("export SLURM_LAB_STATE=" + (folder_ / "state") + "; " + kLab + " up --nodes 2 --dir " +
                   (folder_ / "c") + " && (setsid bash -c 'while kill -0 " + std::to_string(::getpid()) +
                   "; do sleep 1; done; " + down + "' > /dev/null 2>&1 < /dev/null & echo $! > " +
                   (folder_ / "guard") + ")");
    ASSERT_EQ(up.code, 0) << up.output;
    environment_ = "eval \"$(SLURM_LAB_STATE=" + (folder_ / "state") + " " + kLab + " env --dir " +
                   (folder_ / "c") + ")\"; cd " + folder_.path() + "; ";
    std::filesystem::create_directory(folder_ / "bin");
    std::filesystem::copy_file(ENTRAIN_SOURCE_DIR "/tests/slurm/fake/entrain", folder_ / "bin/entrain");
    std::filesystem::copy_file(ENTRAIN_BIN_DIR "/entrain", folder_ / "bin/entrain-front");
    const Ran data = sh("bin/entrain-front ingest phantom --out d.h5 --images 256 --px 32 --seed 1");
    ASSERT_EQ(data.code, 0) << data.output;
  }
  void TearDown() override {
    if (environment_.empty()) return;
    if (HasFailure())
      std::cout << sh("squeue -a; sinfo; tail -n 40 runs/*/*.out; cat c/jobcomp.txt").output << std::endl;
    sh("kill $(cat guard); SLURM_LAB_STATE=" + (folder_ / "state") + " " + kLab + " down --purge --dir " +
       (folder_ / "c"));
  }

  Ran sh(const std::string& line) { return tests::run(environment_ + line, 120); }
  // What the stages of run.dir `runs/NAME` play; see tests/slurm/fake/entrain.
  void plan(const std::string& name, const std::string& words) {
    std::filesystem::create_directories(folder_ / ("runs/" + name));
    tests::write_file(folder_ / ("runs/" + name + "/plan"), words);
  }
  void submit(const std::string& words) {
    const Ran ran = sh("bin/entrain-front submit " + words + " data.files=d.h5");
    ASSERT_EQ(ran.code, 0) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("can start at "));
  }
  std::string file(const std::string& name) const {
    return std::filesystem::exists(folder_ / name) ? tests::read_file(folder_ / name) : "";
  }
  std::string jobs_log(const std::string& name, const std::string& job) const {
    return file("runs/" + name + "/slurm-" + job + ".out");
  }
  std::vector<JobRecord> jobs(const std::string& name) const { return read_jobs(folder_ / ("runs/" + name)); }
  bool done(const std::string& name) const {
    return std::filesystem::exists(folder_ / ("runs/" + name + "/DONE"));
  }
  std::string state(const std::string& job) {
    return sh("scontrol -o show job " + job + " | grep -o 'JobState=[A-Z_]*' | cut -d= -f2").output;
  }
  static bool wait_for(double seconds, const std::function<bool()>& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!what()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return true;
  }
  bool queue_is_empty() { return sh("squeue -h").output.empty(); }

  tests::TemporaryFolder folder_;
  std::string environment_;
};

TEST_F(Lab, ARequeueKeepsIdAndLogAndTellsItsNumber) {
  const std::string name = "d e'm$o%j#\"x\"";  // what #SBATCH lines must carry
  plan(name, "75 step");
  submit(kConfigs + "demo.yaml slurm.time=5m slurm.cpus_per_rank=1 slurm.nodes=2 " +
         bash_quote("run.dir=runs/" + name));
  ASSERT_TRUE(wait_for(180, [&] { return done(name); }));
  const auto all = jobs(name);
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(file("runs/" + name + "/starts"), "restart=0 job=" + all[0].job +
                                                  " no_kill=set cpus=unset\nrestart=1 job=" + all[0].job +
                                                  " no_kill=set cpus=unset\n");
  EXPECT_THAT(jobs_log(name, all[0].job), HasSubstr("start 0 of "));
  EXPECT_THAT(jobs_log(name, all[0].job), HasSubstr("asks Slurm to requeue the job\n"));
  EXPECT_THAT(jobs_log(name, all[0].job), HasSubstr("start 1 of ")) << "appended, not truncated";
  EXPECT_THAT(file("runs/" + name + "/step"), MatchesRegex("n[12]\nn[12]\n"))
      << "steps start in this environment";
  ASSERT_TRUE(wait_for(180, [&] { return queue_is_empty(); }));
  EXPECT_EQ(state(all[0].job), "COMPLETED\n");
  EXPECT_THAT(sh("scontrol -o show job " + all[0].job).output, HasSubstr("JobName=" + name + " "));
}

TEST_F(Lab, BeforeTheTimeLimitTheRunIsWarnedAndGoesOn) {
  plan("demo", "stop 0");
  submit(kConfigs + "demo.yaml slurm.time=1m slurm.signal_lead=10s slurm.staging=" + (folder_ / "disk"));
  ASSERT_TRUE(wait_for(180, [&] { return done("demo"); }));
  EXPECT_EQ(file("runs/demo/signals"), "USR1\n");
  EXPECT_THAT(file("runs/demo/starts"), ContainsRegex("restart=0.*\nrestart=1"));
  EXPECT_THAT(jobs_log("demo", jobs("demo")[0].job), HasSubstr("the run ended with 75"));
  const std::string copy = folder_ / ("disk/entrain-" + jobs("demo")[0].job);
  EXPECT_THAT(file("runs/demo/words"), HasSubstr(copy + "/0/d.h5"));
  EXPECT_TRUE(wait_for(180, [&] { return queue_is_empty(); }));
  EXPECT_FALSE(std::filesystem::exists(copy)) << "kept for the requeue, gone at the end";
}

TEST_F(Lab, APreemptedRunCommitsGivesWayAndComesBack) {
  plan("demo", "stop 0");
  submit(kConfigs + "demo.yaml slurm.time=5m slurm.nodes=2 slurm.partition=low slurm.options=--exclusive");
  ASSERT_TRUE(wait_for(180, [&] { return std::filesystem::exists(folder_ / "runs/demo/ready"); }));
  ASSERT_EQ(sh("sbatch -p high -N2 --exclusive -t 1 -o high.out --wrap 'date; sleep 1'").code, 0);
  ASSERT_TRUE(wait_for(180, [&] { return done("demo"); }));
  EXPECT_NE(file("high.out"), "");
  // Once from Slurm and once from the script, where the process tracking of Slurm reaches the run itself.
  EXPECT_THAT(file("runs/demo/signals"), MatchesRegex("TERM\n(TERM\n)?"));
  EXPECT_THAT(jobs("demo"), SizeIs(1)) << "no successor beside the requeued job";
  EXPECT_THAT(file("runs/demo/starts"), ContainsRegex("restart=0.*\nrestart=1"));
}

TEST_F(Lab, ASingletonChainGoesOnUntilDoneAndFailuresTakeItOutOfTheQueue) {
  plan("good", "75 0");
  plan("bad", "93");
  submit(kConfigs + "demo.yaml run.dir=runs/good slurm.time=5m slurm.chain=singleton slurm.chain_jobs=3");
  submit(kConfigs + "demo.yaml run.dir=runs/bad slurm.time=5m slurm.chain=singleton slurm.chain_jobs=3");
  ASSERT_TRUE(wait_for(180, [&] { return queue_is_empty(); }));
  const auto good = jobs("good"), bad = jobs("bad");
  ASSERT_THAT(good, SizeIs(3));
  EXPECT_EQ(file("runs/good/starts"), "restart=0 job=" + good[0].job +
                                          " no_kill=set cpus=unset\nrestart=0 job=" + good[1].job +
                                          " no_kill=set cpus=unset\n");
  EXPECT_EQ(state(good[0].job), "FAILED\n");
  EXPECT_EQ(state(good[1].job), "COMPLETED\n");
  EXPECT_EQ(state(good[2].job), "COMPLETED\n");
  EXPECT_THAT(jobs_log("good", good[2].job), HasSubstr("DONE is there: this run has ended, nothing to do"));
  EXPECT_THAT(file("runs/bad/starts"), Not(ContainsRegex("\n.*\n"))) << "once and never again";
  EXPECT_EQ(state(bad[1].job) + state(bad[2].job), "CANCELLED\nCANCELLED\n");
}

TEST_F(Lab, ThreeStagesFollowEachOtherAndAFailureEndsTheRest) {
  for (const char* stage : {"demo", "demo-few", "demo-eval"}) plan(stage, "0");
  plan("demo", "75 0");
  submit(kConfigs + "demo.yaml " + kConfigs + "finetune_demo.yaml " + kConfigs +
         "evaluate_demo.yaml slurm.time=5m");
  plan("p", "65");
  submit(
      kConfigs + "demo.yaml " + kConfigs + "finetune_demo.yaml " + kConfigs +
      "evaluate_demo.yaml slurm.time=5m pretrain:run.dir=runs/p " +
      "finetune:run.dir=runs/f evaluate:run.dir=runs/e finetune:init.from=runs/p evaluate:init.from=runs/f");
  ASSERT_TRUE(wait_for(180, [&] { return done("demo-eval") && queue_is_empty(); }));
  EXPECT_THAT(file("runs/demo/starts"), ContainsRegex("restart=0.*\nrestart=1"))
      << "a requeued parent keeps its children";
  const auto written = [&](const char* name) {
    return std::filesystem::last_write_time(folder_ / ("runs/" + std::string(name) + "/DONE"));
  };
  EXPECT_LT(written("demo"), written("demo-few"));
  EXPECT_LT(written("demo-few"), written("demo-eval"));
  EXPECT_THAT(file("runs/demo-few/words"), HasSubstr("--stage finetune -n 1"));
  const auto failed = jobs("p");
  ASSERT_THAT(failed, SizeIs(3));
  EXPECT_EQ(state(failed[0].job) + state(failed[1].job) + state(failed[2].job),
            "FAILED\nCANCELLED\nCANCELLED\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs/f/starts"));
}

TEST_F(Lab, ACancelledJobStaysCancelled) {
  plan("demo", "stop 0");
  submit(kConfigs + "demo.yaml slurm.time=5m");
  ASSERT_TRUE(wait_for(180, [&] { return std::filesystem::exists(folder_ / "runs/demo/ready"); }));
  const std::string job = jobs("demo")[0].job;
  EXPECT_EQ(sh("scancel " + job).code, 0);
  ASSERT_TRUE(wait_for(180, [&] { return queue_is_empty(); }));
  EXPECT_EQ(state(job), "CANCELLED\n");
  EXPECT_THAT(file("runs/demo/signals"), MatchesRegex("TERM\n(TERM\n)?")) << "it had its time to commit";
  EXPECT_THAT(jobs_log("demo", job), HasSubstr("was cancelled, so it is not requeued"));
}

TEST_F(Lab, ASweepRequeuesItsRowsOneByOneAndSumsUp) {
  for (const char* row : {"row-0", "row-1"}) plan(std::string("demo/") + row, "0");
  plan("demo/row-1", "75 0");
  submit(kConfigs + "demo.yaml slurm.time=5m --sweep optim.lr=0.1,0.3");
  ASSERT_TRUE(wait_for(180, [&] { return done("demo/row-0") && done("demo/row-1") && queue_is_empty(); }));
  EXPECT_THAT(file("runs/demo/row-0/starts"), MatchesRegex("restart=0[^\n]*\n"))
      << "the other row's requeue is not its own";
  EXPECT_THAT(file("runs/demo/row-1/starts"), MatchesRegex("restart=0[^\n]*\nrestart=1[^\n]*\n"));
  EXPECT_THAT(file("runs/demo/row-1/words"), HasSubstr("optim.lr=0.3"));
  const auto all = jobs("demo");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(file("runs/demo/summary-" + all[1].job + ".out"),
              ContainsRegex("1 +done +- +\\{\"optim.lr\":\"0.3\"\\}"));
}

}  // namespace
}  // namespace entrain::slurm
