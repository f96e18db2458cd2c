// A supervisor in a job with stand-ins for Slurm and for the ranks: what happens before, and beside, the training.
#include "coordinator/supervise/session.hpp"

#include <gmock/gmock.h>

#include <csignal>

#include "configs/cat.hpp"
#include "configs/process.hpp"
#include "coordinator/status/from_files.hpp"
#include "coordinator/supervise/control_file.hpp"
#include "tests/coordinator/control/shared_board.hpp"
#include "tests/coordinator/supervise/fake_cluster.hpp"

namespace entrain::supervise {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using tests::read_file;

class InAJob : public ::testing::Test {
 protected:
  int supervise(int ranks = 3) {
    SessionSettings settings;
    settings.config.run.dir = cluster_.run_dir();
    settings.worker = {"entrain-worker", "pretrain"};
    settings.launcher = "srun";
    settings.fleet = {{"n1", "n2", "n3"}, 1, 3, 1, ranks};
    if (std::getenv("SLURM_JOB_ID") == nullptr) {
      settings.launcher = "mpirun";
      settings.fleet = {{""}, ranks, 1, 1, ranks};
    }
    return Session(std::move(settings)).run();
  }
  std::string exit_file() const { return read_file(cluster_.run_dir() + "/exit.json"); }

  tests::FakeCluster cluster_;
};

TEST_F(InAJob, ASignalInTheFirstLookIsAWishToStopAndToGoOnLater) {
  tests::write_file(cluster_.run_dir() + "/exit.json", R"({"code": 69, "reason": "of an earlier start"})");
  for (const int signal : {SIGTERM, SIGUSR1}) {
    cluster_.look(cat("trap 'exit 143' TERM; kill -", signal, " $SUPERVISOR; while :; do sleep 0.1; done"));
    EXPECT_EQ(supervise(), 75) << signal;
  }
  EXPECT_THAT(exit_file(), AllOf(HasSubstr("75"), HasSubstr("SIG"), HasSubstr("; no rank had begun")));
  EXPECT_THAT(cluster_.events("stop"), StartsWith("asked to stop: SIGTERM"));
  EXPECT_THAT(cluster_.events("launch"), IsEmpty());
}

TEST_F(InAJob, SoIsASignalToTheStepAlone) {
  cluster_.look(
      "echo '*** STEP 1.0 ON n1 CANCELLED AT x ***' >&2; echo 'srun: error: n1: task 0: Terminated' >&2; "
      "exit 143");
  EXPECT_EQ(supervise(), 75);
  EXPECT_THAT(exit_file(),
              HasSubstr("preempted or cancelled in the first look at the nodes; no rank had begun"));
  EXPECT_THAT(cluster_.events("stop"), HasSubstr("preempted or cancelled"));
}

TEST_F(InAJob, TheStatusKnowsOfTheFirstLook) {
  cluster_.look("cp $RUN/status.json $RUN/control.json $LAB; answer");
  EXPECT_EQ(supervise(), 0);
  const auto told = nlohmann::json::parse(read_file(cluster_ / "status.json"));
  EXPECT_EQ(told["state"], "starting");
  EXPECT_EQ(told["reason"], "looking at the nodes");
  EXPECT_EQ(nlohmann::json::parse(read_file(cluster_ / "control.json"))["pid"], ::getpid());
  EXPECT_THAT(cluster_.events("launch"), StartsWith("generation 1: 3 ranks on n1,n2,n3"));
}

TEST_F(InAJob, ANodeThatIsGoneBeforeItsRanksSpokeIsNotWaitedFor) {
  cluster_.ranks("[[ $list != *n3* ]] && exit 0; touch $LAB/dead-n3 $LAB/down-n3; exec sleep 300");
  EXPECT_EQ(supervise(), 0);
  EXPECT_THAT(cluster_.events("dead"), StartsWith("node n3 is gone, by Slurm's word"));
  EXPECT_THAT(cluster_.events("behind"), IsEmpty()) << "a table of nobody";
  EXPECT_THAT(cluster_.events("launch"), HasSubstr("generation 2: 2 ranks on n1,n2"));
}

TEST_F(InAJob, ATokenThatWasReplacedIsTakenByTheNextGeneration) {
  tests::write_file(cluster_ / "token", std::string(64, 'a') + "\n");
  cluster_.ranks(
      "[ ! -e $LAB/again ] || exit 0; touch $LAB/again; cat $LAB/token > $RUN/.token; kill -KILL $$");
  EXPECT_EQ(supervise(), 0);
  EXPECT_THAT(cluster_.events("token"), HasSubstr("/.token was replaced while the run was on"));
  EXPECT_EQ(read_file(cluster_.run_dir() + "/.token"), std::string(64, 'a') + "\n");
}

// A launcher of two ranks that lives, as an earlier supervisor has left it.
class TakeOver : public InAJob {
 protected:
  TakeOver() {
    cluster_.in_job(false);
    ControlFile control;
    control.run_id = "0123456789abcdef";
    control.host = host_name();
    control.generation = 3;
    control.world = control.ranks_per_node = 2;
    control.nodes = {""};
    control.launcher_pid = launcher_.pid();
    control.launcher_ticks = checkpoint::process_start_ticks(launcher_.pid());
    control.write(cluster_.run_dir());
  }
  tests::Child launcher_{[] { ::sleep(3); }};
};

TEST_F(TakeOver, SaysWhatItDoesNotKnowAndThatOtherRanksWereAskedFor) {
  EXPECT_EQ(supervise(3), 0);
  EXPECT_THAT(cluster_.events("adopt"),
              AllOf(HasSubstr("generation 3 of 2 ranks still runs"),
                    HasSubstr("it goes on with the 2 that it has; from its next generation on it has 3")));
  EXPECT_THAT(cluster_.events("exit"), HasSubstr("its launcher is gone; with which code"));
  EXPECT_THAT(cluster_.events("launch"), HasSubstr("generation 4: 3 ranks"));
}

TEST_F(TakeOver, OfAsManyRanksSaysNothingOfThem) {
  EXPECT_EQ(supervise(2), 0);
  EXPECT_THAT(cluster_.events("adopt"), AllOf(HasSubstr("of 2 ranks"), Not(HasSubstr("goes on with"))));
}

}  // namespace
}  // namespace entrain::supervise
