// The first look at the nodes of a job where it goes wrong, with stand-ins for Slurm: a node dies in it, the step is ended
// from outside, or it comes to nothing and nobody is to blame.
#include "coordinator/supervise/preflight.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "coordinator/supervise/job_ending.hpp"
#include "tests/coordinator/supervise/fake_cluster.hpp"

namespace entrain::supervise {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using tests::read_file;

// As srun says it, of a step that a preemption ended.
constexpr const char* kCancelled =
    "slurmstepd-n1: error: *** STEP 207.4 ON n1 CANCELLED AT 2026-03-02T10:04:11 ***\n"
    "srun: error: n3: task 2: Terminated\nsrun: error: n1: task 0: Terminated\n"
    "srun: Force Terminated StepId=207.4\n";

class FirstLook : public ::testing::Test {
 protected:
  Preflight look(const std::stop_token& stop = {}) {
    return preflight(fleet_, "srun", SlurmSection{}, "entrain-worker", cluster_.run_dir(), "cpu", stop);
  }
  bool noted(const std::string& node) const {
    const std::string path = cluster_.run_dir() + "/bad_nodes.json";
    return std::filesystem::exists(path) && read_file(path).find("\"node\":\"" + node) != std::string::npos;
  }

  tests::FakeCluster cluster_;
  Fleet fleet_{{"n1", "n2", "n3"}, 1, 3, 1, 8};
};

TEST_F(FirstLook, OfHealthyNodesAllStay) {
  const Preflight out = look();
  EXPECT_EQ(out.code, ExitCode::kDone) << out.text;
  EXPECT_THAT(out.text, HasSubstr("3 ranks on 3 nodes: sum of 8 MB right"));
  EXPECT_THAT(out.lost, IsEmpty());
  EXPECT_THAT(out.warnings, IsEmpty());
  EXPECT_EQ(cluster_.looks(), 1);
}

TEST_F(FirstLook, ANodeThatSlurmCallsDownMeanwhileIsLeftOutLongBeforeTheStepEnds) {
  cluster_.look("[[ $list != *n3* ]] && { answer; exit 0; }; touch $LAB/dead-n3 $LAB/down-n3; sleep 300");
  const auto began = std::chrono::steady_clock::now();
  const Preflight out = look();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(40));
  EXPECT_EQ(out.code, ExitCode::kDone) << out.text;
  EXPECT_THAT(out.lost, ElementsAre("n3"));
  EXPECT_THAT(out.warnings, ElementsAre(AllOf(HasSubstr("left out, since it died"), HasSubstr(": n3"))));
  EXPECT_THAT(out.text, HasSubstr("2 ranks on 2 nodes"));
  EXPECT_TRUE(noted("n3"));
}

TEST_F(FirstLook, ANodeThatSlurmStillBelievesInIsFoundByAStepOnEach) {
  cluster_.look(
      "[[ $list != *n3* ]] && { answer; exit 0; }; touch $LAB/dead-n3; echo broken pipe >&2; exit 1");
  const Preflight out = look();
  EXPECT_EQ(out.code, ExitCode::kDone) << out.text;
  EXPECT_THAT(out.lost, ElementsAre("n3"));
  EXPECT_TRUE(noted("n3"));
}

TEST_F(FirstLook, ANodeThatStartsNoStepIsNotedToo) {
  tests::write_file(cluster_ / "dead-n2", "");
  const Preflight out = look();
  EXPECT_THAT(out.lost, ElementsAre("n2"));
  EXPECT_THAT(out.warnings, ElementsAre("left out, since no step starts there: n2"));
  EXPECT_TRUE(noted("n2"));
}

TEST_F(FirstLook, WithTooFewNodesLeftTheJobIsToBeRequeued) {
  fleet_.min_ranks = 3;
  cluster_.look("touch $LAB/dead-n3; exit 1");
  const Preflight out = look();
  EXPECT_EQ(out.code, ExitCode::kComm) << "other nodes may be had";
  EXPECT_THAT(out.text, HasSubstr("fewer than 3 ranks (fault.min_ranks)"));
  EXPECT_EQ(cluster_.looks(), 1);
}

TEST_F(FirstLook, WhereNobodyIsToBlameItSaysWhatToLookAt) {
  cluster_.look("echo no route >&2; exit 1");
  const Preflight out = look();
  EXPECT_EQ(out.code, ExitCode::kPreflight);
  EXPECT_THAT(out.text,
              AllOf(HasSubstr("3 ranks on n1, n2, n3 do not come up together: no route; each of these"),
                    HasSubstr("slurm.exclude"), Not(HasSubstr("env:"))));
  EXPECT_FALSE(noted("n"));
}

TEST_F(FirstLook, AStepThatIsCancelledIsAWishToStop) {
  tests::write_file(cluster_ / "said", kCancelled);
  cluster_.look("cat $LAB/said >&2; exit 143");
  EXPECT_EQ(look().code, ExitCode::kRequeue);
  EXPECT_FALSE(noted("n"));
}

TEST_F(FirstLook, SoIsAJobThatSlurmPreemptsOrRequeues) {
  cluster_.look("exit 1");
  cluster_.squeue_says("RUNNING 9:50 2026-03-02T10:04:11");
  EXPECT_EQ(look().code, ExitCode::kRequeue);
  cluster_.squeue_says("COMPLETING 9:50 N/A");
  EXPECT_EQ(look().code, ExitCode::kRequeue);
  // Steps that end with the job are no sign of a dead node.
  tests::write_file(cluster_ / "dead-n2", "");
  EXPECT_EQ(look().code, ExitCode::kRequeue);
  EXPECT_FALSE(noted("n2"));
  cluster_.squeue_says("RUNNING 9:50 N/A");
  EXPECT_EQ(look().code, ExitCode::kPreflight);
}

TEST_F(FirstLook, WhoIsAskedToStopEndsTheStep) {
  cluster_.look("trap 'touch $LAB/ended; exit 143' TERM; touch $LAB/began; while :; do sleep 0.1; done");
  std::stop_source stop;
  std::thread later([&] {
    while (!std::filesystem::exists(cluster_ / "began"))
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(look(stop.get_token()).code, ExitCode::kRequeue);
  later.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(40));
  EXPECT_TRUE(std::filesystem::exists(cluster_ / "ended"));
}

TEST(StepWasStopped, OnlyIfNoTaskEndedOfItself) {
  EXPECT_TRUE(step_was_stopped(kCancelled));
  EXPECT_TRUE(
      step_was_stopped("*** STEP 3.1 ON n1 CANCELLED AT x DUE TO PREEMPTION ***\n"
                       "srun: error: n1: tasks 0-3: Terminated\n"));
  EXPECT_FALSE(step_was_stopped(""));
  EXPECT_FALSE(
      step_was_stopped("*** STEP 3.1 ON n1 CANCELLED AT x DUE TO NODE FAILURE ***\n"
                       "srun: error: n1: task 0: Terminated\n"));
  EXPECT_FALSE(
      step_was_stopped("srun: error: n2: task 1: Segmentation fault\n"
                       "*** STEP 3.1 ON n1 CANCELLED AT x ***\nsrun: error: n1: task 0: Terminated\n"));
  EXPECT_FALSE(
      step_was_stopped("srun: error: n1: task 0: Terminated\n*** STEP 3.1 ON n1 CANCELLED AT x ***\n"
                       "srun: error: n2: task 1: Exited with exit code 1\n"));
}

}  // namespace
}  // namespace entrain::supervise
