// The batch script, really run by bash, with a stand-in for the run and for Slurm: which signals arrive, which code comes
// out, and what Slurm is asked to do then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "configs/cat.hpp"
#include "slurm/job_record.hpp"
#include "slurm/job_script.hpp"
#include "tests/slurm/fake_site.hpp"

namespace entrain::slurm {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using tests::Ran;

class Loop : public ::testing::Test {
 protected:
  Loop() {
    job_.typed = "entrain submit pretrain.yaml";
    job_.program = "entrain";
    job_.stage = "pretrain";
    job_.run_dir = site_ / "run";
    job_.work_dir = site_ / "";
    job_.settings = "run:\n  dir: run\n";
    std::filesystem::create_directory(job_.run_dir);
  }

  // The shell line of a start whose run plays `plan`.
  std::string start(const std::string& plan) {
    tests::write_file(job_.run_dir + "/plan", plan);
    std::filesystem::remove(job_.run_dir + "/starts");
    std::filesystem::remove(job_.run_dir + "/ready");
    std::filesystem::remove(site_.site() + "/calls");
    tests::write_file(job_.run_dir + "/job.sh", job_script(job_));
    return site_.environment() + "export SLURM_JOB_ID=12 " + more_ + "; exec bash '" + job_.run_dir +
           "/job.sh'";
  }
  Ran play(const std::string& plan) { return tests::run(start(plan)); }

  // The same, with signals to the batch shell, the way Slurm sends them, once the run has begun.
  Ran play(const std::string& plan, const std::vector<int>& signals) {
    tests::Command shell(start(plan));
    for (int i = 0; i < 3000 && !std::filesystem::exists(job_.run_dir + "/ready"); ++i) pause();
    EXPECT_TRUE(std::filesystem::exists(job_.run_dir + "/ready"));
    for (std::size_t i = 0; i < signals.size(); ++i) {
      const std::size_t before = heard();
      shell.signal(signals[i]);
      for (int k = 0; k < 500 && heard() == before; ++k) pause();
    }
    return shell.wait(60);
  }
  std::size_t heard() const {
    std::ifstream file(job_.run_dir + "/signals");
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
  }
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }
  bool done() const { return std::filesystem::exists(job_.run_dir + "/DONE"); }

  tests::FakeSite site_;
  JobScript job_;
  std::string more_;  // of the environment
};

TEST_F(Loop, ASlowStopIsWaitedForAndItsCodeKept) {
  for (const int signal : {SIGUSR1, SIGTERM}) {
    const Ran ran = play("stop", {signal});
    EXPECT_EQ(ran.code, 75) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("the run ended with 75"));
    EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));
  }
  EXPECT_EQ(tests::read_file(job_.run_dir + "/signals"), "USR1\nTERM\n");
}

TEST_F(Loop, AnImmediateStopLosesNoCode) {
  for (int again = 0; again < 10; ++again) {
    const Ran ran = play("at-once", {SIGUSR1});
    EXPECT_EQ(ran.code, 75) << again << ran.output;
    EXPECT_THAT(site_.calls("scontrol"), SizeIs(1));
  }
}

TEST_F(Loop, TwoSignalsReachTheRunAndItsCodeIsKept) {
  EXPECT_EQ(play("two", {SIGUSR1, SIGUSR1}).code, 75);
  EXPECT_EQ(play("two", {SIGUSR1, SIGTERM}).code, 75);
  EXPECT_EQ(tests::read_file(job_.run_dir + "/signals"), "USR1\nUSR1\nUSR1\nTERM\n");
}

TEST_F(Loop, AKilledSupervisorIsStartedAgainThreeTimesAndThenNot) {
  const auto starts = [&] { return std::ranges::count(tests::read_file(job_.run_dir + "/starts"), '\n'); };
  const Ran once = play("kill 75");
  EXPECT_EQ(once.code, 75) << once.output;
  EXPECT_EQ(starts(), 2);
  EXPECT_THAT(once.output, HasSubstr("the supervisor was killed (137): starts it again, 1 of 3\n"));
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));

  const Ran ran = play("kill kill kill kill 0");
  EXPECT_EQ(ran.code, 137) << ran.output;
  EXPECT_EQ(starts(), 4);
  EXPECT_THAT(ran.output, HasSubstr("starts it again, 3 of 3\n"));
  EXPECT_THAT(site_.calls(), IsEmpty()) << "and is not requeued";
}

TEST_F(Loop, ARunThatIsKilledWhenItWasToldToEndIsNotStartedAgain) {
  const Ran ran = play("told", {SIGUSR1});
  EXPECT_EQ(ran.code, 75) << ran.output;
  EXPECT_EQ(tests::read_file(job_.run_dir + "/starts"), "restart=0 job=12 no_kill=set cpus=unset\n");
  EXPECT_THAT(ran.output, HasSubstr("the job is told to end, so the run is not started\n"));
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));
}

// On two nodes, with the waits of the script cut short: until the run has begun and `ready` says so.
class Guard : public Loop {
 protected:
  Guard() {
    job_.slurm.nodes = 2;
    more_ = "SLURM_JOB_NUM_NODES=2 SLURMD_NODENAME=n1";
    site_.lay("squeue.w.out", "RUNNING\n");
    site_.lay("squeue.out", "RUNNING\n");
    tests::write_file(site_.bin() + "/sleep",
                      "#!/bin/bash\n[ \"$1\" != 15 ] || set -- 0.1\nexec /bin/sleep \"$1\"\n");
    std::filesystem::permissions(site_.bin() + "/sleep", std::filesystem::perms::owner_all);
  }
  // A run that is told to end once `ready` does not hold any more; what the guard has logged meanwhile.
  std::string log_of(const std::function<bool()>& ready) {
    tests::Command shell(start("stop"));
    for (int i = 0; i < 3000 && !ready(); ++i) pause();
    EXPECT_TRUE(ready());
    shell.signal(SIGUSR1);
    EXPECT_EQ(shell.wait(60).code, 75);
    const std::string path = job_.run_dir + "/slurm-12.out";
    return std::filesystem::exists(path) ? tests::read_file(path) : "";
  }
  bool began() const { return std::filesystem::exists(job_.run_dir + "/ready"); }
  std::size_t looks() const { return site_.calls("squeue -h -j 12 -o %T -w n1").size(); }
};

TEST_F(Guard, ALostFirstNodeHasTheJobRequeued) {
  const std::string log = log_of([&] {
    if (began() && looks() == 2)
      site_.lay("squeue.w.out", "");  // as long as it has the node, nothing happens
    return !site_.calls("scontrol requeue").empty();
  });
  EXPECT_THAT(log, HasSubstr("n1, the first node, is lost, and this script with it; asks Slurm to requeue"));
  EXPECT_THAT(log, Not(HasSubstr("cancelled")));
  EXPECT_THAT(site_.calls("srun"), ElementsAre(StartsWith("srun --overlap --mpi=none --relative=1 --nodes=1 "
                                                          "--ntasks=1 --ntasks-per-node=1 bash -c ")));
  EXPECT_THAT(site_.calls("scancel"), IsEmpty());
}

TEST_F(Guard, WhereARequeueIsRefusedTheJobIsCancelled) {
  site_.lay("scontrol.requeue.code", "1");
  site_.lay("scontrol.requeue.err", "Requested operation is presently disabled for job 12\n");
  const std::string log = log_of([&] {
    if (began() && looks() > 1) site_.lay("squeue.w.out", "");
    return !site_.calls("scancel").empty();
  });
  EXPECT_THAT(site_.calls("scancel"), ElementsAre("scancel 12"));
  EXPECT_THAT(log, HasSubstr("Requested operation is presently disabled for job 12\n"));
  EXPECT_THAT(log, HasSubstr("so it is cancelled; a chain goes on by itself, else: sbatch " + job_.run_dir));
}

TEST_F(Guard, WithoutAClearAnswerItDoesNothing) {
  const auto nothing = [&](const std::function<void()>& happens) {
    const std::string log = log_of([&] {
      if (began() && looks() > 1) happens();
      return looks() > 5;
    });
    EXPECT_EQ(log, "");
    EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12")) << "by the script, for the 75";
    EXPECT_THAT(site_.calls("scancel"), IsEmpty());
  };
  nothing([] {});  // it has the node all the time
  nothing([&] { site_.lay("squeue.w.code", "1"), site_.lay("squeue.w.out", ""); });
  std::filesystem::remove(site_.site() + "/squeue.w.code");
  site_.lay("squeue.w.out", "RUNNING\n");
  nothing([&] { site_.lay("squeue.out", "COMPLETING\n"), site_.lay("squeue.w.out", ""); });
}

TEST_F(Guard, NothingOfItIsLeftAndItsFailureHurtsNobody) {
  site_.lay("squeue.w.out", "");  // it never saw the node: not even squeue may be there
  EXPECT_EQ(log_of([&] { return began() && looks() > 0; }), "");
  site_.lay("srun.code", "1");
  EXPECT_EQ(play("0").code, 0);
  std::filesystem::remove(site_.site() + "/srun.code");
  std::filesystem::remove(job_.run_dir + "/DONE");
  site_.lay("squeue.w.out", "RUNNING\n");
  log_of([&] { return began() && looks() > 2; });
  const std::size_t looked = looks();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(looks(), looked) << "it is ended with the run";
}

TEST_F(Loop, ARunThatDiesBeforeTheTrapReturnsKeepsItsCode) {
  job_.slurm.setup = {
      "trap 'kill -USR1 \"$SUP\"; sleep 1' USR1"};  // a trap so slow that the run is gone behind it
  const Ran ran = play("at-once", {SIGUSR1});
  EXPECT_EQ(ran.code, 75) << ran.output;
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));
}

TEST_F(Loop, ASignalDuringPreparationStopsTheRunBeforeItBegins) {
  job_.slurm.setup = {"touch '" + (site_ / "preparing") + "'; until [ -n \"$NOTICE\" ]; do sleep 0.05; done"};
  tests::Command shell(start("0"));
  for (int i = 0; i < 3000 && !std::filesystem::exists(site_ / "preparing"); ++i) pause();
  shell.signal(SIGUSR1);
  const Ran ran = shell.wait(60);
  EXPECT_EQ(ran.code, 75) << ran.output;
  EXPECT_FALSE(std::filesystem::exists(job_.run_dir + "/starts"));
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));
}

TEST_F(Loop, EachExitCodeAsksSlurmForTheRightThing) {
  for (const int code : {75, 76}) {
    EXPECT_EQ(play(std::to_string(code)).code, code);
    EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"));
    EXPECT_THAT(site_.calls("entrain"), IsEmpty());
    EXPECT_FALSE(done());
  }
  for (const int code : {90, 93}) {
    EXPECT_EQ(play(std::to_string(code)).code, code);
    EXPECT_THAT(site_.calls(), ElementsAre("entrain submit " + job_.run_dir + "/job.yaml --cancel-chain"));
  }
  for (const int code : {64, 65, 69, 70, 73, 78, 1}) {
    EXPECT_EQ(play(std::to_string(code)).code, code);
    EXPECT_THAT(site_.calls(), IsEmpty()) << code;
  }
  EXPECT_FALSE(done());
  EXPECT_EQ(play("0").code, 0);
  EXPECT_THAT(site_.calls(), IsEmpty());
  EXPECT_TRUE(done());
}

TEST_F(Loop, DoneEndsSuccessorsWithZero) {
  tests::write_file(job_.run_dir + "/DONE", "");
  const Ran ran = play("93");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, HasSubstr("DONE is there"));
  EXPECT_FALSE(std::filesystem::exists(job_.run_dir + "/starts"));
}

TEST_F(Loop, TheRestartCountAndTheEnvironmentAreHandedOver) {
  play("0");
  EXPECT_EQ(tests::read_file(job_.run_dir + "/starts"), "restart=0 job=12 no_kill=set cpus=unset\n");
  std::filesystem::remove(job_.run_dir + "/DONE");
  more_ = "SLURM_RESTART_COUNT=3 SRUN_CPUS_PER_TASK=4";
  EXPECT_THAT(play("0").output, HasSubstr("start 3 of "));
  EXPECT_EQ(tests::read_file(job_.run_dir + "/starts"), "restart=3 job=12 no_kill=set cpus=unset\n");
}

TEST_F(Loop, TheBrakeHoldsAfterAHundredStarts) {
  more_ = "SLURM_RESTART_COUNT=99";
  play("75");
  EXPECT_THAT(site_.calls("scontrol"), SizeIs(1));
  more_ = "SLURM_RESTART_COUNT=60 ENTRAIN_STARTS=40";
  const Ran ran = play("75");
  EXPECT_THAT(ran.output, HasSubstr("not requeued: it was started 101 times"));
  EXPECT_THAT(site_.calls(), Not(::testing::Contains(StartsWith("scontrol"))));
  EXPECT_THAT(site_.calls(), Not(::testing::Contains(StartsWith("sbatch"))));
}

TEST_F(Loop, ACancelledJobIsNotBroughtBackToLife) {
  site_.lay("squeue.O.out", "COMPLETING          4:58                N/A                           \n");
  const Ran ran = play("75");
  EXPECT_EQ(ran.code, 75);
  EXPECT_THAT(ran.output, HasSubstr("was cancelled, so it is not requeued"));
  EXPECT_THAT(site_.calls("scontrol"), IsEmpty());
  EXPECT_THAT(site_.calls("sbatch"), IsEmpty());
}

TEST_F(Loop, TheTimeLimitAPreemptionAndASilentSqueueAreNoCancellation) {
  for (const char* state : {"COMPLETING          INVALID             N/A                           \n",
                            "COMPLETING          0:00                N/A                           \n",
                            "COMPLETING          5:00                2026-11-29T06:03:08           \n",
                            "RUNNING             4:58                N/A                           \n", ""}) {
    site_.lay("squeue.O.out", state);
    play("75");
    EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12")) << state;
  }
}

TEST_F(Loop, ARefusedRequeueSubmitsASuccessor) {
  site_.lay("scontrol.requeue.code", "1");
  site_.lay("scontrol.requeue.err", "Requested operation is presently disabled for job 12\n");
  job_.run_dir = site_ / "run \"q\"";
  job_.next = {site_ / "fine", site_ / "eval"};
  job_.next_stage = {"finetune", "evaluate"};
  for (const auto& dir : {job_.run_dir, job_.next[0], job_.next[1]}) std::filesystem::create_directory(dir);
  more_ = "SLURM_RESTART_COUNT=2";
  const Ran ran = play("75");
  EXPECT_EQ(ran.code, 75);
  EXPECT_THAT(ran.output, HasSubstr("Requested operation is presently disabled for job 12\n"));
  EXPECT_THAT(ran.output, HasSubstr("Slurm did not requeue the job"));
  EXPECT_THAT(ran.output, HasSubstr("job 101 goes on instead"));
  EXPECT_THAT(site_.calls("sbatch"),
              ElementsAre("sbatch --parsable --dependency=singleton " + job_.run_dir + "/job.sh",
                          "sbatch --parsable --dependency=afterok:101 --kill-on-invalid-dep=yes " +
                              job_.next[0] + "/job.sh",
                          "sbatch --parsable --dependency=afterok:102 --kill-on-invalid-dep=yes " +
                              job_.next[1] + "/job.sh"));
  EXPECT_THAT(tests::read_file(site_.site() + "/sbatch_environment"), StartsWith("restart=unset starts=3\n"))
      << "a new job counts its requeues anew, and the brake goes on counting";
  const auto jobs = read_jobs(job_.run_dir);
  ASSERT_THAT(jobs, SizeIs(3));
  EXPECT_EQ(jobs[0].job, "101");
  EXPECT_EQ(jobs[0].script, job_.run_dir + "/job.sh");
  EXPECT_EQ(jobs[2].stage, "evaluate");
  EXPECT_THAT(read_jobs(job_.next[0]), SizeIs(2));
  EXPECT_THAT(read_jobs(job_.next[1]), SizeIs(1));
}

TEST_F(Loop, AJobThatSlurmHasRequeuedItselfGetsNoSuccessor) {
  const auto successors = [&](const std::string& scontrol, const std::string& squeue) {
    site_.lay("scontrol.requeue.code", "1");
    site_.lay("scontrol.requeue.err", scontrol + " for job 12\n");
    site_.lay("squeue.o.out", squeue + "\n");
    const Ran ran = play("75");
    EXPECT_EQ(ran.code, 75);
    EXPECT_EQ(ran.output.find("Slurm has done so by itself already") != std::string::npos,
              site_.calls("sbatch").empty());
    return site_.calls("sbatch").size();
  };
  EXPECT_EQ(successors("Job is pending execution", "COMPLETING"), 0U);
  EXPECT_EQ(successors("Job is pending execution", "PENDING"), 0U);
  EXPECT_EQ(successors("Some other words", "PENDING"), 0U);
  EXPECT_EQ(successors("Requested operation is presently disabled", "COMPLETING"), 1U);
  EXPECT_EQ(successors("Requested operation is presently disabled", "RUNNING"), 1U);
}

TEST_F(Loop, WithoutScontrolASuccessorIsSubmitted) {
  // Only what the script needs is on PATH, as on a compute node without Slurm's administration.
  site_.take("scontrol");
  for (const char* tool :
       {"bash", "date", "mkdir", "cat", "timeout", "env", "dirname", "wc", "touch", "sleep", "tee"})
    std::filesystem::create_symlink(std::string("/usr/bin/") + tool, site_.bin() + '/' + tool);
  more_ = "PATH='" + site_.bin() + "'";
  const Ran ran = play("76");
  EXPECT_EQ(ran.code, 76);
  EXPECT_THAT(ran.output, HasSubstr("there is no scontrol on this node"));
  EXPECT_THAT(site_.calls("sbatch"), SizeIs(1));

  site_.take("sbatch");
  const Ran alone = play("76");
  EXPECT_EQ(alone.code, 76);
  EXPECT_THAT(alone.output,
              HasSubstr("no sbatch here either; go on by hand: sbatch " + job_.run_dir + "/job.sh"));
}

TEST_F(Loop, ARefusedSuccessorTellsWhatToDo) {
  site_.lay("scontrol.requeue.code", "1");
  site_.lay("sbatch.parsable.code", "1");
  site_.lay("sbatch.parsable.err", "sbatch: error: QOSMaxSubmitJobPerUserLimit\n");
  const Ran ran = play("75");
  EXPECT_EQ(ran.code, 75);
  EXPECT_THAT(ran.output, HasSubstr("QOSMaxSubmitJobPerUserLimit"));
  EXPECT_THAT(ran.output, HasSubstr("sbatch refused a successor; go on by hand"));
}

TEST_F(Loop, AnArrayElementIsRequeuedByItself) {
  job_.rows = {{"optim.lr=0.1"}, {"optim.lr=0.3"}};
  more_ = "SLURM_ARRAY_JOB_ID=40 SLURM_ARRAY_TASK_ID=1";
  std::filesystem::create_directory(job_.run_dir + "/row-1");
  tests::write_file(job_.run_dir + "/row-1/plan", "75 90 75");
  play("");
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 40_1"));
  play("");
  EXPECT_THAT(site_.calls(), IsEmpty()) << "90 of one row";
  site_.lay("scontrol.requeue.code", "1");
  play("");
  EXPECT_THAT(site_.calls("sbatch"), ElementsAre("sbatch --parsable --dependency=afterany:40_1 --array=1 " +
                                                 job_.run_dir + "/job.sh"));
}

TEST_F(Loop, NodesThatThisStartFoundBadAreLeftOutOfTheNext) {
  tests::write_file(job_.run_dir + "/bad_nodes.json",
                    "[\n{\"node\":\"n1\",\"why\":\"\",\"job\":\"11\",\"at\":\"\"},\n"
                    "{\"node\":\"n3\",\"why\":\"its \\\"links\\\"\",\"job\":\"12\",\"at\":\"\"},\n"
                    "{\"node\":\"n4\",\"why\":\"\",\"job\":\"12\",\"at\":\"\"}\n]\n");
  site_.lay("squeue.o.out", "n[7-8]\n");
  const std::string test = "sbatch --test-only --exclude=n[7-8],n3,n4 " + job_.run_dir + "/job.sh";
  const Ran ran = play("75");
  EXPECT_EQ(ran.code, 75);
  EXPECT_THAT(site_.calls("sbatch"), ElementsAre(test));
  EXPECT_THAT(site_.calls("scontrol"),
              ElementsAre("scontrol requeue 12", "scontrol update JobId=12 ExcNodeList=n[7-8],n3,n4"));
  EXPECT_THAT(ran.output, HasSubstr("the next start gets other nodes than n[7-8],n3,n4"));

  site_.lay("scontrol.update.code", "1");
  EXPECT_EQ(play("75").code, 75);
  EXPECT_THAT(site_.calls("scontrol update"), SizeIs(3)) << "the TERM of the requeue may have hit the first";

  site_.lay("sbatch.test-only.code", "1");
  EXPECT_EQ(play("75").code, 75);
  EXPECT_THAT(site_.calls("scontrol"), ElementsAre("scontrol requeue 12"))
      << "without these nodes it would wait for ever";
  play("69");
  EXPECT_THAT(site_.calls(), IsEmpty());
}

TEST_F(Loop, ASuccessorIsSubmittedWithoutBadNodes) {
  tests::write_file(job_.run_dir + "/bad_nodes.json",
                    "[\n{\"node\":\"n3\",\"why\":\"\",\"job\":\"12\"}\n]\n");
  site_.lay("scontrol.requeue.code", "1");
  site_.lay("scontrol.requeue.err", "Requested operation is presently disabled for job 12\n");
  EXPECT_EQ(play("75").code, 75);
  EXPECT_THAT(
      site_.calls("sbatch --parsable"),
      ElementsAre("sbatch --parsable --dependency=singleton --exclude=n3 " + job_.run_dir + "/job.sh"));
  job_.rows = {{"optim.lr=0.1"}};
  more_ = "SLURM_ARRAY_JOB_ID=40 SLURM_ARRAY_TASK_ID=0";
  std::filesystem::create_directory(job_.run_dir + "/row-0");
  std::filesystem::rename(job_.run_dir + "/bad_nodes.json", job_.run_dir + "/row-0/bad_nodes.json");
  tests::write_file(job_.run_dir + "/row-0/plan", "75");
  play("");
  EXPECT_THAT(site_.calls("sbatch --parsable"),
              ElementsAre("sbatch --parsable --dependency=afterany:40_0 --array=0 --exclude=n3 " +
                          job_.run_dir + "/job.sh"));
}

TEST_F(Loop, ChainsNeedNoRequeueAndEndTogether) {
  for (const char* chain : {"singleton", "array"}) {
    job_.slurm.chain = chain;
    more_ = "SLURM_ARRAY_JOB_ID=40 SLURM_ARRAY_TASK_ID=1";
    for (const char* code : {"75", "76", "137 137 137 137"}) {
      play(code);
      EXPECT_THAT(site_.calls(), IsEmpty()) << chain << code;
    }
    for (const char* code : {"90", "93", "64", "65", "69", "70", "73", "78"}) {
      play(code);
      EXPECT_THAT(site_.calls(), ElementsAre(HasSubstr("--cancel-chain"))) << chain << code;
    }
  }
}

TEST_F(Loop, ModulesAreLoadedOrTheJobSaysWhichOneWasNot) {
  job_.slurm.modules = {"gcc/12", "no such"};
  job_.slurm.setup = {"export FROM_SETUP=1"};
  more_ =
      "FAKE_MODULES=1; module() { echo \"module $*\" >> \"$FAKE/calls\"; [ \"$2\" != 'no such' ]; }; export "
      "-f module";
  const Ran ran = play("0");
  EXPECT_EQ(ran.code, 78);
  EXPECT_THAT(ran.output, HasSubstr("the module could not be loaded: no such"));
  EXPECT_THAT(site_.calls("module"),
              ElementsAre("module purge", "module load gcc/12", "module load no such"));
  job_.slurm.modules = {"gcc/12"};
  EXPECT_EQ(play("0").code, 0);
}

TEST_F(Loop, AJobThatEndsInItsSetupSaysSoToWhoeverLooksAtTheRun) {
  const auto exit_file = [&] { return tests::read_file(job_.run_dir + "/exit.json"); };
  for (const auto& [line, code] : std::vector<std::pair<std::string, int>>{
           {"exit 3", 3}, {"exit 0", 78}, {"set -e; false", 1}, {"( ", 2}}) {
    job_.slurm.setup = {line};
    const Ran ran = play("0");
    EXPECT_EQ(ran.code, code) << line << '\n' << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("in its modules, setup lines or staging"));
    EXPECT_THAT(exit_file(), AllOf(HasSubstr(cat("\"code\":", code, ',')), HasSubstr("job 12 ended with ")));
    EXPECT_FALSE(std::filesystem::exists(job_.run_dir + "/starts"));
    std::filesystem::remove(job_.run_dir + "/exit.json");
  }
}

TEST_F(Loop, ASetupLineThatFailsIsToldAndTheRunBegins) {
  job_.slurm.setup = {"false", "true", "trap 'echo my own end' EXIT"};
  const Ran ran = play("64");
  EXPECT_EQ(ran.code, 64);
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("warning: slurm.setup: ended with 1: false\n"), HasSubstr("my own end"),
                    Not(HasSubstr(": true")), Not(HasSubstr("in its modules"))));
  EXPECT_FALSE(std::filesystem::exists(job_.run_dir + "/exit.json"));
  job_.slurm.setup = {"true"};
  EXPECT_THAT(play("64").output, Not(HasSubstr("warning")));
  EXPECT_FALSE(std::filesystem::exists(job_.run_dir + "/exit.json")) << "the run's code is its own";
}

TEST_F(Loop, TheSummaryListsEveryRow) {
  job_.rows = {{"optim.lr=0.1"}, {"optim.lr=0.3"}, {"optim.lr=9"}};
  tests::write_file(job_.run_dir + "/sweep.jsonl", sweep_text(job_.rows));
  for (const char* row : {"/row-0", "/row-1"}) std::filesystem::create_directory(job_.run_dir + row);
  tests::write_file(job_.run_dir + "/row-0/DONE", "");
  tests::write_file(job_.run_dir + "/row-0/metrics.jsonl",
                    "{\"step\":1,\"loss\":3.5}\n{\"step\":2,\"loss\":2.25,\"lr\":1}\n");
  tests::write_file(job_.run_dir + "/row-1/exit.json", "{\n  \"code\": 90,\n  \"verdict\": \"stop\"\n}\n");
  tests::write_file(job_.run_dir + "/summary.sh", summary_script(job_));
  const Ran ran = tests::run("bash '" + job_.run_dir + "/summary.sh'");
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, ::testing::ContainsRegex("0 +done +2.25 +\\{\"optim.lr\":\"0.1\"\\}"));
  EXPECT_THAT(ran.output, ::testing::ContainsRegex("1 +90 +- +\\{\"optim.lr\":\"0.3\"\\}"));
  EXPECT_THAT(ran.output, ::testing::ContainsRegex("2 +- +- +\\{\"optim.lr\":\"9\"\\}"));
}

}  // namespace
}  // namespace entrain::slurm
