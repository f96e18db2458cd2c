// Programs of Slurm: asked without a shell, told apart when they are not there, never waited for without end.
#include "slurm/commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "configs/cat.hpp"
#include "slurm/fields.hpp"
#include "slurm/job_record.hpp"
#include "slurm/job_state.hpp"
#include "slurm/time_limit.hpp"
#include "tests/slurm/fake_site.hpp"

namespace entrain::slurm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using End = CommandResult::End;

// With the stand-ins on PATH for as long as the object lives.
class OnPath {
 public:
  explicit OnPath(const tests::FakeSite& site) : path_(std::getenv("PATH")) {
    ::setenv("FAKE", site.site().c_str(), 1);
    ::setenv("PATH", (site.bin() + ":/usr/bin:/bin").c_str(), 1);
  }
  ~OnPath() { ::setenv("PATH", path_.c_str(), 1); }

 private:
  std::string path_;
};

TEST(RunCommand, TellsOutputCodeAndStdinApart) {
  const auto r = run_command({"bash", "-c", "cat; echo said >&2; exit 3"}, 60, "typed");
  EXPECT_EQ(r.end, End::kExited);
  EXPECT_EQ(r.code, 3);
  EXPECT_EQ(r.out, "typed");
  EXPECT_EQ(r.err, "said\n");
  EXPECT_EQ(r.complaint, "bash: said");
  EXPECT_TRUE(run_command({"true"}, 60).ok());
  EXPECT_EQ(run_command({"true"}, 60).complaint, "");
  EXPECT_EQ(run_command({"bash", "-c", "kill -9 $$"}, 60).code, 137);
}

TEST(RunCommand, WordsReachTheProgramAsTheyAre) {
  EXPECT_EQ(run_command({"printf", "%s|", "a b", "$HOME", "`id`", "*", "two\nlines", "'"}, 60).out,
            "a b|$HOME|`id`|*|two\nlines|'|");
}

TEST(RunCommand, AnAbsentProgramIsToldFromOneThatFails) {
  const auto absent = run_command({"entrain-no-such-program"}, 60);
  EXPECT_EQ(absent.end, End::kAbsent);
  EXPECT_FALSE(absent.ok());
  EXPECT_THAT(absent.complaint, HasSubstr("there is no such program on PATH"));
  EXPECT_EQ(run_command({"bash", "-c", "exit 127"}, 60).end, End::kExited);
}

TEST(RunCommand, AHangEndsWithEverythingItStarted) {
  const tests::TemporaryFolder folder;
  const auto began = std::chrono::steady_clock::now();
  const auto r =
      run_command({"bash", "-c", "trap '' TERM; sleep 300 & echo $! > " + (folder / "pid") + "; wait"}, 0.5);
  EXPECT_EQ(r.end, End::kTimedOut);
  EXPECT_EQ(r.complaint, "bash: did not answer within 0.5 s");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
  const int grandchild = std::stoi(tests::read_file(folder / "pid"));
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(20)))
    gone = ::kill(grandchild, 0) != 0 ||
           tests::read_file("/proc/" + std::to_string(grandchild) + "/stat").find(") Z") != std::string::npos;
  EXPECT_TRUE(gone);
}

TEST(RunCommand, EndsWhatItsCallerNoLongerWants) {
  for (const char* deaf : {"trap 'touch ended; exit 3' TERM", "trap '' TERM"}) {
    const tests::TemporaryFolder folder;
    std::stop_source stop;
    std::thread later([&] {
      while (!std::filesystem::exists(folder / "began"))
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      stop.request_stop();
    });
    const auto began = std::chrono::steady_clock::now();
    const auto r = run_command(
        {"bash", "-c",
         cat("cd ", folder.path(), "; ", deaf, "; echo said; touch began; while :; do sleep 0.1; done")},
        300, "", stop.get_token());
    later.join();
    EXPECT_EQ(r.end, End::kStopped) << deaf;
    EXPECT_FALSE(r.ok());
    EXPECT_EQ(std::filesystem::exists(folder / "ended"),
              std::string(deaf).find("ended") != std::string::npos);
    EXPECT_EQ(r.out, "said\n");
    EXPECT_EQ(r.complaint, "bash: was ended before it had answered");
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
  }
}

TEST(RunCommand, DoesNotWaitForAGrandchildThatKeepsThePipes) {
  const auto began = std::chrono::steady_clock::now();
  const auto r = run_command({"bash", "-c", "sleep 50 & echo done"}, 60);
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.out, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(40));
}

TEST(RunCommand, MuchOutputOnBothPipesArrivesWhole) {
  const auto r = run_command({"bash", "-c", "head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2"}, 60);
  EXPECT_EQ(r.out.size(), 3000000U);
  EXPECT_EQ(r.err.size(), 300000U);
  EXPECT_TRUE(run_command({"true"}, 60, std::string(1 << 20, 'x')).ok()) << "stdin that nobody reads";
}

TEST(JobStates, FromSqueueElseScontrolElseUnknown) {
  const tests::FakeSite site;
  const OnPath path(site);
  site.lay("squeue.format.out", "PENDING|Priority\n");
  EXPECT_EQ(job_state("12").state, "PENDING");
  EXPECT_EQ(job_state("12").reason, "Priority");
  site.lay("squeue.format.out", "");
  site.lay("squeue.format.code", "1");
  site.lay("squeue.format.err", "slurm_load_jobs error: Invalid job id specified\n");
  site.lay("scontrol.job.out", "JobId=12 JobName=x JobState=TIMEOUT Reason=TimeLimit Dependency=(null)\n");
  EXPECT_EQ(job_state("12").state, "TIMEOUT");
  EXPECT_THAT(advice_for(job_state("12")), HasSubstr("slurm.signal_lead"));
  site.lay("scontrol.job.out", "");
  site.lay("scontrol.job.code", "1");
  EXPECT_FALSE(job_state("12").known());
  EXPECT_THAT(advice_for(job_state("12")), StartsWith("its state is unknown (squeue: slurm_load_jobs error"));
}

TEST(JobStates, AliveJobsLeaveOutEndedOnesAndJoinArrays) {
  const tests::FakeSite site;
  const OnPath path(site);
  site.lay("squeue.format.out", "12|COMPLETED\n13|PENDING\n14|RUNNING\n14|PENDING\n");
  std::string complaint;
  const auto alive = alive_jobs({"12", "13", "14"}, complaint);
  EXPECT_THAT(alive, ElementsAre(std::pair("13", "PENDING"), std::pair("14", "RUNNING")));
  EXPECT_EQ(complaint, "");
  EXPECT_EQ(site.calls().back(), "squeue --noheader --jobs=12,13,14 --format=%F|%T");
  site.lay("squeue.format.code", "1");
  site.lay("squeue.format.err", "slurm_load_jobs error: Invalid job id specified\n");
  EXPECT_TRUE(alive_jobs({"12"}, complaint).empty());
  EXPECT_EQ(complaint, "") << "forgotten, so it has ended";
  site.lay("squeue.format.err", "squeue: error: Invalid job id: 0\n");
  EXPECT_TRUE(alive_jobs({"12"}, complaint).empty());
  EXPECT_THAT(complaint, StartsWith("squeue: "));
}

TEST(JobStates, HopelessWaitsGetAdvice) {
  EXPECT_THAT(advice_for({"PENDING", "PartitionTimeLimit"}), HasSubstr("lower slurm.time"));
  EXPECT_THAT(advice_for({"PENDING", "Priority"}), HasSubstr("squeue --start"));
  EXPECT_EQ(advice_for({"RUNNING", ""}), "");
  EXPECT_EQ(advice_for({"COMPLETED", ""}), "");
}

TEST(JobRecords, AreReadBackAndWhatIsNoJobIsNot) {
  const tests::TemporaryFolder run;
  EXPECT_TRUE(read_jobs(run.path()).empty());
  append_job(run.path(), {"12", "pretrain", "2026-03-02T10:04:11Z", "/a \"b\"/job.sh"});
  std::ofstream(run / "jobs.jsonl", std::ios::app)
      << "{\"job\":\"13 14\"}\n{\"job\":\"--user=x\"}\n{\"job\":15}\nx\n{\"jo";
  const auto jobs = read_jobs(run.path());
  ASSERT_EQ(jobs.size(), 1U) << "these words go on to scancel";
  EXPECT_EQ(jobs[0].script, "/a \"b\"/job.sh");
}

TEST(Fields, AreFoundByWholeName) {
  const std::string line =
      "MaxTime=UNLIMITED Default=YES DefaultTime=NONE State=UP Dependency=(null) Command=/a=b/c";
  EXPECT_EQ(field_of(line, "Default"), "YES");
  EXPECT_EQ(field_of(line, "Time"), "");
  EXPECT_EQ(field_of(line, "Command"), "/a=b/c");
  EXPECT_EQ(field_of(line, "Dependency"), "");
  EXPECT_EQ(field_of("A = 1\nKillWait                = 30 sec\nEmpty   =\nB = 2\n", "KillWait"), "30");
  EXPECT_EQ(field_of("KillWait=7", "KillWait"), "7");
}

TEST(TimeLimits, OursAndSlurms) {
  for (const auto& [text, seconds] : std::vector<std::pair<std::string, double>>{{"24h", 86400},
                                                                                 {"90m", 5400},
                                                                                 {"1.5h", 5400},
                                                                                 {"1-12:00:00", 129600},
                                                                                 {"2-0", 172800},
                                                                                 {"02:30:00", 9000}})
    EXPECT_EQ(parse_time_limit(text), seconds) << text;
  for (const char* wrong : {"", "60", "10:00", "-1", "1-x", "0-00:00:00", "24", "UNLIMITED", "1:2:3:4"})
    EXPECT_ANY_THROW(parse_time_limit(wrong)) << wrong;
  EXPECT_EQ(time_limit_text(129600), "1-12:00:00");
  EXPECT_EQ(time_limit_text(61), "0-00:02:00") << "Slurm counts in minutes";
  EXPECT_EQ(parse_slurm_time("30:00"), 1800);
  EXPECT_EQ(parse_slurm_time("5"), 300);
  EXPECT_EQ(parse_slurm_time("2-00:00:00"), 172800);
  for (const char* none : {"UNLIMITED", "infinite", "n/a", "", "NONE"})
    EXPECT_FALSE(parse_slurm_time(none)) << none;
}

}  // namespace
}  // namespace entrain::slurm
