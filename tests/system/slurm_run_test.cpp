// `entrain submit` with real training on a real Slurm cluster of three nodes on this machine (../shared/slurm-lab): a node
// dies or freezes, the job is preempted, its time is over, stages are chained. Skipped where lab or Slurm is not there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "configs/cat.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

const std::string kLab = ENTRAIN_SOURCE_DIR "/../shared/slurm-lab/cluster.sh";

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

class SlurmRun : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string& needed : {kLab, std::string("/usr/sbin/slurmctld")})
      if (!fs::exists(needed)) GTEST_SKIP() << "needs " << needed;
    const std::string lab = cat("SLURM_LAB_STATE=", folder_ / "state", ' ', kLab),
                      dir = cat(" --dir ", folder_ / "c");
    down_ = cat(lab, " down --purge", dir);
    // Ends the cluster also when this process is killed.
    const Ran up = run(cat(lab, " up --nodes 3", dir, " && (setsid bash -c 'while kill -0 ", ::getpid(),
                           "; do sleep 1; done; ", down_, "' > /dev/null 2>&1 < /dev/null &)"));
    ASSERT_EQ(up.code, 0) << up.output;
    lab_ = cat(lab, ' ');
    dir_ = dir;
    environment_ = cat("eval \"$(", lab, " env", dir, ")\"; cd ", folder_.path(), "; ");
    ASSERT_EQ(sh("entrain ingest phantom --out d.h5 --images 200 --px 32 --seed 3").code, 0);
    settings_ =
        " data.files=d.h5 views.crop_pixels=32 batch.lanes=4 batch.lane_images=1 schedule.name=constant "
        "schedule.warmup_steps=0 checkpoint.every=20steps ";
  }
  void TearDown() override {
    if (down_.empty()) return;
    if (HasFailure())
      std::cout << sh("squeue -a; sinfo; tail -n 60 */slurm-*.out; cat */events.jsonl").output << std::endl;
    run(down_);
  }

  Ran sh(const std::string& line, double seconds = 120) { return run(environment_ + line, seconds); }
  void node(const std::string& words) {
    const Ran ran = sh(lab_ + words + dir_);
    ASSERT_EQ(ran.code, 0) << ran.output;
  }
  // A pretraining of so many steps as a job on three nodes.
  void submit(const std::string& name, int steps, const std::string& more = "") {
    const Ran ran = sh(cat("entrain submit ", kConfig, " run.dir=", name, settings_, " train.steps=", steps,
                           " slurm.nodes=3 slurm.partition=low ", more));
    ASSERT_EQ(ran.code, 0) << ran.output;
  }
  long events(const std::string& name, const std::string& kind) {
    long count = 0;
    std::istringstream lines(sh(cat("cat ", name, "/events.jsonl 2>/dev/null")).output);
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      count += json.is_object() && json.value("kind", "") == kind;
    }
    return count;
  }
  bool wait_for(double seconds, const std::function<bool()>& what) {
    for (const auto began = Clock::now(); seconds_since(began) < seconds;) {
      if (what()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return false;
  }
  bool trains(const std::string& name, long times, double seconds = 90) {
    return wait_for(seconds, [&] { return events(name, "training") >= times && events(name, "commit") > 0; });
  }
  // Done, with the weights of a run that nothing happened to, and a ledger that proves it.
  void ends_like_the_undisturbed_run(const std::string& name, int steps) {
    ASSERT_TRUE(wait_for(240, [&] { return fs::exists(folder_ / (name + "/DONE")); }));
    const Ran reference = run(cat("cd ", folder_.path(), "; mpirun -n 2 entrain pretrain ", kConfig,
                                  " run.dir=reference", settings_, "train.steps=", steps),
                              200);
    ASSERT_EQ(reference.code, 0) << reference.output;
    const std::string digest = sh("entrain verify --digest reference").output;
    EXPECT_EQ(digest.size(), 64 + 2 + std::string("step-00000001\n").size());
    EXPECT_EQ(sh(cat("entrain verify --digest ", name)).output, digest);
    const Ran audit = sh(cat("entrain audit ", name));
    EXPECT_EQ(audit.code, 0) << audit.output;
  }

  const std::string kConfig = ENTRAIN_SOURCE_DIR "/configs/demo.yaml";
  TemporaryFolder folder_;
  std::string lab_, dir_, down_, environment_, settings_;
};

TEST_F(SlurmRun, AKilledNodeIsLeftOutAndTrainingGoesOnInTheSameAllocation) {
  submit("k", 300);
  ASSERT_TRUE(trains("k", 1));
  const auto began = Clock::now();
  node("kill-node n3");
  ASSERT_TRUE(wait_for(60, [&] { return events("k", "dead") + events("k", "exit") > 0; }));
  const double noticed = seconds_since(began);
  ASSERT_TRUE(trains("k", 2));
  const double again = seconds_since(began);
  std::cout << "node killed: noticed after " << noticed << " s, training again on two nodes after " << again
            << " s\n";
  EXPECT_EQ(events("k", "end"), 0) << "the same job";
  ends_like_the_undisturbed_run("k", 300);
}

TEST_F(SlurmRun, AFrozenNodeIsLeftOutToo) {
  submit("f", 300);
  ASSERT_TRUE(trains("f", 1));
  const auto began = Clock::now();
  node("kill-node n2 --freeze");
  ASSERT_TRUE(trains("f", 2));
  std::cout << "node frozen: training again after " << seconds_since(began) << " s\n";
  node("revive-node n2");  // what wakes up there is of a generation that is over
  ends_like_the_undisturbed_run("f", 300);
}

TEST_F(SlurmRun, AJobThatLosesItsFirstNodeIsRequeuedOnTheOthersAndGoesOn) {
  const Ran two = sh(cat("entrain submit ", kConfig, " run.dir=h", settings_,
                         " train.steps=200 slurm.nodes=2 slurm.partition=low"));
  ASSERT_EQ(two.code, 0) << two.output;
  ASSERT_TRUE(trains("h", 1));
  const auto began = Clock::now();
  node("kill-node n1");
  // All nodes here are one host, on which the holder is seen to be gone. It shall be one that nobody can look into.
  const std::string job = sh("squeue -h -o %i").output;
  write_file(folder_ / "h/supervisor.lock",
             R"({"host":"dead","pid":1,"job_start":0,"job":")" + job.substr(0, job.find('\n')) + "\"}\n");
  ASSERT_TRUE(trains("h", 2, 120));
  std::cout << "first node killed: training again after " << seconds_since(began) << " s\n";
  EXPECT_THAT(
      sh("cat h/slurm-*.out").output,
      AllOf(HasSubstr(", n2] n1, the first node, is lost, and this script with it; asks Slurm to requeue"),
            HasSubstr(cat("start 1 of ", folder_ / "h", " on n[2-3]"))));
  ends_like_the_undisturbed_run("h", 200);
}

TEST_F(SlurmRun, ASupervisorThatIsKilledIsStartedAgainOverTheSameRanks) {
  submit("s", 200);
  ASSERT_TRUE(trains("s", 1));
  const auto control = nlohmann::json::parse(sh("cat s/control.json").output);
  ASSERT_EQ(sh(cat("kill -9 ", control.at("pid").get<long>())).code, 0);
  ASSERT_TRUE(wait_for(60, [&] { return events("s", "adopt") > 0; }));
  EXPECT_THAT(sh("cat s/slurm-*.out").output,
              HasSubstr("the supervisor was killed (137): starts it again, 1 of 3"));
  ends_like_the_undisturbed_run("s", 200);
  EXPECT_EQ(events("s", "launch"), 1) << "its ranks have gone on meanwhile";
}

TEST_F(SlurmRun, ANodeThatCannotWriteIsLeftOutNamedAndNotGivenAgain) {
  fs::create_directories(folder_ / "b/.preflight-n2.tmp");  // in the way of that node alone
  submit("b", 200);
  ASSERT_TRUE(trains("b", 1));
  const std::string log = sh("cat b/slurm-*.out").output;
  EXPECT_THAT(log,
              AllOf(HasSubstr("node n2 is bad: it cannot use the run's folder: Is a directory creating b/"),
                    HasSubstr("3 ranks on 3 nodes: sum of 8 MB right in "),
                    HasSubstr("node n2 is left out from now on"), HasSubstr(": 2 ranks on n1,n3")));
  EXPECT_THAT(sh("cat b/bad_nodes.json").output, HasSubstr("[\n{\"node\":\"n2\",\"why\":\"it cannot use"));
  ends_like_the_undisturbed_run("b", 200);

  const Ran two = sh(cat("entrain submit ", kConfig, " run.dir=b", settings_,
                         " train.steps=240 slurm.nodes=2 slurm.partition=low"));
  ASSERT_EQ(two.code, 0) << two.output;
  EXPECT_THAT(two.output, HasSubstr("bad nodes: n2 (it cannot use the run's folder: "));
  ASSERT_TRUE(trains("b", 2));
  EXPECT_THAT(sh("cat b/slurm-*.out").output, HasSubstr("start 0 of " + (folder_ / "b") + " on n[1,3]"));
}

// The first look takes a second or two; here its ranks come up late, so that it can be hit.
class SlurmFirstLook : public SlurmRun {
 protected:
  void begin(const std::string& name) {
    const std::string bin = folder_ / "late";
    ASSERT_EQ(sh(cat("mkdir ", bin, " && cp $(command -v entrain) ", bin)).code, 0);
    const std::string worker = sh("command -v entrain-worker").output;
    write_file(bin + "/entrain-worker",
               cat("#!/bin/bash\n[ \"$1\" != preflight ] || [ -e ", folder_ / "early", " ] || sleep 4\nexec ",
                   worker.substr(0, worker.find('\n')), " \"$@\"\n"));
    fs::permissions(bin + "/entrain-worker", fs::perms::owner_all);
    environment_ += cat("PATH=", bin, ":$PATH; ");
    submit(name, 60);
    ASSERT_TRUE(wait_for(60, [&] { return events(name, "preflight") > 0; }));
    const Ran told = sh(cat("entrain status --once ", name));
    EXPECT_EQ(told.code, 0);
    EXPECT_THAT(told.output, HasSubstr("starting: looking at the nodes"));
    std::this_thread::sleep_for(std::chrono::seconds(1));
    write_file(folder_ / "early", "");  // from the next look on
  }
};

TEST_F(SlurmFirstLook, APreemptionInItIsAWishToGoOnLater) {
  ASSERT_NO_FATAL_FAILURE(begin("p"));
  const Ran high = sh("sbatch -p high -N3 --exclusive -o /dev/null --wrap 'sleep 3'");
  ASSERT_EQ(high.code, 0) << high.output;
  ASSERT_TRUE(wait_for(60, [&] { return events("p", "end") > 0; }));
  EXPECT_EQ(events("p", "launch"), 0);
  EXPECT_THAT(sh("cat p/slurm-*.out").output, HasSubstr("no rank had begun (exit 75)"));
  ends_like_the_undisturbed_run("p", 60);
}

TEST_F(SlurmFirstLook, ANodeThatDiesInItIsLeftOutAndNoted) {
  ASSERT_NO_FATAL_FAILURE(begin("k"));
  node("kill-node n3");
  ends_like_the_undisturbed_run("k", 60);
  EXPECT_THAT(sh("cat k/slurm-*.out").output, AllOf(HasSubstr("left out, since it died in the first look"),
                                                    HasSubstr("generation 1: 2 ranks on n1,n2")));
  EXPECT_THAT(sh("cat k/bad_nodes.json").output, HasSubstr("{\"node\":\"n3\""));
}

TEST_F(SlurmRun, APreemptedJobCommitsIsRequeuedAndGoesOn) {
  submit("p", 300);
  ASSERT_TRUE(trains("p", 1));
  const Ran high = sh("sbatch -p high -N3 --exclusive -o /dev/null --wrap 'sleep 5'");
  ASSERT_EQ(high.code, 0) << high.output;
  ASSERT_TRUE(trains("p", 2, 120));
  EXPECT_THAT(sh("cat p/slurm-*.out").output,
              AllOf(HasSubstr("and committed after step"), HasSubstr("asks Slurm to requeue")));
  ends_like_the_undisturbed_run("p", 300);
}

TEST_F(SlurmRun, AJobWhoseTimeIsOverIsRequeuedAndGoesOn) {
  submit("t", 4000, "slurm.time=1m slurm.signal_lead=5s");
  ASSERT_TRUE(trains("t", 1));
  ASSERT_TRUE(trains("t", 2, 150));
  EXPECT_THAT(sh("cat t/slurm-*.out").output,
              AllOf(HasSubstr("and committed after step"), HasSubstr("asks Slurm to requeue")));
  EXPECT_GT(events("t", "stop") + events("t", "end"), 0);
  sh("scancel -u $USER; scancel --state=RUNNING --partition=low");
}

TEST_F(SlurmRun, ThreeStagesAreChainedAndTheLastOneTellsTheAuc) {
  const std::string configs = ENTRAIN_SOURCE_DIR "/configs/";
  const Ran ran = sh(cat(
      "entrain submit ", configs, "demo.yaml ", configs, "finetune_demo.yaml ", configs,
      "evaluate_demo.yaml data.files=d.h5 views.crop_pixels=32 pretrain:train.steps=40 "
      "finetune:finetune.mode=linear finetune:finetune.label_fraction=1 slurm.nodes=1 slurm.partition=low"));
  ASSERT_EQ(ran.code, 0) << ran.output;
  ASSERT_TRUE(wait_for(240, [&] { return fs::exists(folder_ / "runs/demo-eval/DONE"); })) << ran.output;
  EXPECT_THAT(sh("cat runs/demo-eval/metrics.json").output, HasSubstr("auc"));
  EXPECT_TRUE(fs::exists(folder_ / "runs/demo-few/DONE"));
}

}  // namespace
}  // namespace entrain::tests
