#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <thread>

#include "checkpoint/atomic_file.hpp"
#include "checkpoint/jsonl.hpp"
#include "checkpoint/run_lock.hpp"
#include "configs/error.hpp"
#include "tests/support/faulty_file_system.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using checkpoint::JsonLines;
using checkpoint::RunLock;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(AtomicFile, TheOldOrTheNewNeverHalf) {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.json";
  checkpoint::write_file_atomically(path, "old");
  int old = 0, fresh = 0;
  for (std::int64_t at = 0; at < 6; ++at) {
    checkpoint::write_file_atomically(path, "old");
    FaultyFileSystem files(at, Fault::kFail);
    EXPECT_THROW(checkpoint::write_file_atomically(path, "fresh", files), CheckpointError) << at;
    const std::string text = read_file(path);
    EXPECT_TRUE(text == "old" || text == "fresh");
    ++(text == "old" ? old : fresh);
    EXPECT_FALSE(fs::exists(path + ".tmp"));
  }
  EXPECT_EQ(old, 5);
  EXPECT_EQ(fresh, 1) << "renamed, but the folder was not synced";
  checkpoint::write_file_atomically(path, "fresh");
  EXPECT_EQ(read_file(path), "fresh");
}

TEST(JsonLines, ResumeDropsTheTornLineAndStepsThatHappenAgain) {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  {
    JsonLines lines(path, -1);
    EXPECT_EQ(lines.dropped(), 0);
    for (int step = 1; step <= 5; ++step)
      lines.append({{"step", step}, {"loss", step == 2 ? std::nan("") : 0.5}});
    lines.append({{"event", "stop"}});
  }
  EXPECT_EQ(read_file(path).substr(0, 53),
            "{\"loss\":0.5,\"step\":1}\n{\"loss\":null,\"step\":2}\n{\"loss\":");
  write_file(path, read_file(path) + "{\"step\":6,\"lo");
  JsonLines lines(path, 3);
  EXPECT_EQ(lines.dropped(), 3) << "steps 4 and 5, and half a line";
  lines.append({{"step", 4}});
  EXPECT_EQ(read_file(path),
            "{\"loss\":0.5,\"step\":1}\n{\"loss\":null,\"step\":2}\n{\"loss\":0.5,\"step\":3}\n{\"event\":"
            "\"stop\"}\n{\"step\":4}\n");
}

TEST(JsonLines, ALastLineWithoutItsEndIsTornEvenIfItParses) {
  const TemporaryFolder folder;
  write_file(folder / "m", "{\"step\":1}\n{\"step\":1}");
  const JsonLines lines(folder / "m", 1);
  EXPECT_EQ(lines.dropped(), 1);
  EXPECT_EQ(read_file(folder / "m"), "{\"step\":1}\n");
}

TEST(JsonLines, AFullDiskIsSaid) {
  JsonLines lines("/dev/full", 0);
  try {
    lines.append({{"step", 1}});
    FAIL() << "nothing was thrown";
  } catch (const CheckpointError& error) {
    EXPECT_STREQ(error.what(), "No space left on device writing /dev/full");
  }
}

std::string refusal(const std::string& run_dir) {
  try {
    const RunLock lock(run_dir);
    return "";
  } catch (const LaunchError& error) {
    return error.what();
  }
}

TEST(RunLock, TheSecondStartNamesTheHolder) {
  const TemporaryFolder folder;
  const std::string run = folder / "a/b";
  {
    const RunLock lock(run);
    EXPECT_THAT(refusal(run), AllOf(HasSubstr(run + "/run.lock"),
                                    HasSubstr("process " + std::to_string(::getpid()) + " on ")));
  }
  EXPECT_FALSE(fs::exists(run + "/run.lock"));
  EXPECT_EQ(refusal(run), "");
}

TEST(RunLock, OfADeadProcessIsTakenOver) {
  const TemporaryFolder run;
  const pid_t child = ::fork();
  if (child == 0) {
    new RunLock(run.path());  // never destroyed, as after kill -9
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_THAT(read_file(run / "run.lock"), HasSubstr(std::to_string(child)));
  const RunLock lock(run.path());
  EXPECT_THAT(read_file(run / "run.lock"), HasSubstr(std::to_string(::getpid())));
}

TEST(RunLock, OfADeadProcessWhoseParentHasNotNoticedIsTakenOver) {
  const TemporaryFolder run;
  const pid_t child = ::fork();
  if (child == 0) {
    new RunLock(run.path());
    ::_exit(0);
  }
  siginfo_t dead{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &dead, WEXITED | WNOWAIT), 0);  // and leave it a zombie
  ASSERT_EQ(::kill(child, 0), 0) << "no zombie, no test";
  {
    const RunLock lock(run.path());
    EXPECT_THAT(read_file(run / "run.lock"), HasSubstr(std::to_string(::getpid())));
  }
  ::waitpid(child, nullptr, 0);
}

TEST(RunLock, APidThatWasUsedAgainIsStaleButAnotherHostIsNot) {
  const TemporaryFolder run;
  std::string text;
  {
    const RunLock lock(run.path());
    text = read_file(run / "run.lock");
  }
  auto holder = nlohmann::json::parse(text);
  write_file(run / "run.lock", text);
  EXPECT_NE(refusal(run.path()), "") << "we are alive";
  holder["start_ticks"] = holder["start_ticks"].get<long>() - 1;
  write_file(run / "run.lock", holder.dump());
  EXPECT_EQ(refusal(run.path()), "");
  holder["host"] = "elsewhere";
  holder["pid"] = 999999999;
  write_file(run / "run.lock", holder.dump());
  EXPECT_THAT(refusal(run.path()),
              AllOf(HasSubstr("process 999999999 on elsewhere"), HasSubstr("remove the file")));
  write_file(run / "run.lock", "what is this");
  EXPECT_THAT(refusal(run.path()), HasSubstr("cannot be understood"));
  write_file(run / "run.lock", "");
  EXPECT_EQ(refusal(run.path()), "") << "its owner died between creating and writing";
}

// The environment of a batch job, as long as it lives.
struct InJob {
  InJob(const char* job, const char* start) {
    ::setenv("SLURM_JOB_ID", job, 1);
    ::setenv("SLURM_RESTART_COUNT", start, 1);
  }
  ~InJob() {
    for (const char* name :
         {"SLURM_JOB_ID", "SLURM_RESTART_COUNT", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"})
      ::unsetenv(name);
  }
};

// A lock taken by this process, as if on another host.
void lock_elsewhere(const std::string& run_dir) {
  nlohmann::json holder;
  {
    const RunLock lock(run_dir);
    holder = nlohmann::json::parse(read_file(run_dir + "/run.lock"));
  }
  holder["host"] = "elsewhere";
  write_file(run_dir + "/run.lock", holder.dump());
}

TEST(RunLock, OfAnEarlierStartOfThisBatchJobIsTakenOverFromADeadHost) {
  const TemporaryFolder run;
  lock_elsewhere(run.path());
  const InJob none("12", "3");
  EXPECT_NE(refusal(run.path()), "") << "of no job";
  {
    const InJob before("12", "2");
    std::filesystem::remove(run / "run.lock");
    lock_elsewhere(run.path());
    EXPECT_NE(refusal(run.path()), "") << "of the same start, on another of its nodes";
  }
  EXPECT_NE(refusal(run.path()), "") << "out of the job";
  const InJob other("13", "3");
  EXPECT_NE(refusal(run.path()), "") << "of another job";
  const InJob again("12", "3");
  EXPECT_EQ(refusal(run.path()), "");
}

TEST(RunLock, OfAnotherJobIsRemovedWhereTheSchedulerHasEndedIt) {
  const TemporaryFolder run;
  std::vector<std::string> asked;
  const auto remove = [&](bool over) {
    checkpoint::remove_lock_of_ended_job(run.path(), "run.lock", [&](const std::string& job) {
      asked.push_back(job);
      return over;
    });
    return !std::filesystem::exists(run / "run.lock");
  };
  EXPECT_TRUE(remove(true)) << "there is none";
  lock_elsewhere(run.path());
  EXPECT_FALSE(remove(true)) << "of no job";
  std::filesystem::remove(run / "run.lock");
  {
    const InJob there("12", "0");
    const RunLock here(run.path());
    const InJob other("13", "0");
    EXPECT_FALSE(remove(true)) << "of a process that lives here";
  }
  const InJob array("16", "0");
  ::setenv("SLURM_ARRAY_JOB_ID", "16", 1);
  ::setenv("SLURM_ARRAY_TASK_ID", "3", 1);
  lock_elsewhere(run.path());
  EXPECT_FALSE(remove(true)) << "of this job itself";
  EXPECT_THAT(asked, ::testing::IsEmpty());
  ::setenv("SLURM_ARRAY_TASK_ID", "4", 1);
  EXPECT_FALSE(remove(false));
  EXPECT_TRUE(remove(true));
  EXPECT_THAT(asked, ::testing::ElementsAre("16_3", "16_3"));
}

// How many of `starters` processes that begin at the same moment get the lock over a stale one. A winner holds it until
// all have answered.
int winners(int starters) {
  const TemporaryFolder run;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  write_file(run / "run.lock", nlohmann::json{{"host", host}, {"pid", 999999999}}.dump());
  int go[2], answers[2], leave[2];
  if (::pipe(go) != 0 || ::pipe(answers) != 0 || ::pipe(leave) != 0) return -1;
  std::vector<pid_t> children;
  char c = 0;
  for (int i = 0; i < starters; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    ::close(go[1]), ::close(leave[1]);
    (void)!::read(go[0], &c, 1);  // returns when the parent closes its end
    try {
      const RunLock lock(run.path());
      (void)!::write(answers[1], "w", 1);
      (void)!::read(leave[0], &c, 1);
    } catch (const LaunchError&) {
      (void)!::write(answers[1], "l", 1);
    }
    ::_exit(0);
  }
  ::close(go[1]), ::close(answers[1]);
  int won = 0;
  for (int i = 0; i < starters && ::read(answers[0], &c, 1) == 1; ++i) won += c == 'w';
  ::close(leave[1]);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  ::close(go[0]), ::close(answers[0]), ::close(leave[0]);
  return won;
}

TEST(RunLock, WhatNobodyOfOursWroteIsRefusedNotABug) {
  const TemporaryFolder run;
  fs::create_directory(run / "run.lock");
  EXPECT_THROW(RunLock(run.path()), LaunchError);
  fs::remove(run / "run.lock");
  write_file(run / "run.lock", R"({"host":"vm","pid":1,"start_ticks":"x","started":5})");
  EXPECT_THROW(RunLock(run.path()), LaunchError);
}

TEST(JsonLines, AFullDiskLeavesWholeLinesOnly) {
  const TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &small);
    JsonLines lines(path, -1);
    int failed = 0;
    for (int step = 1; step <= 100; ++step) try {
        lines.append({{"step", step}, {"loss", 0.5}});
      } catch (const CheckpointError& e) {
        failed += std::string(e.what()).find("File too large") != std::string::npos;
      }
    ::_exit(failed > 10 && failed < 90 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  const std::string text = read_file(path);
  EXPECT_GT(text.size(), 900U);
  EXPECT_EQ(text.back(), '\n');
  const JsonLines again(path, 1000);
  EXPECT_EQ(again.dropped(), 0);
}

TEST(RunLock, AnOlderGenerationOfTheSameSupervisedRunIsFencedOff) {
  const TemporaryFolder run;
  const RunLock old(run.path(), checkpoint::Lease{"a", 3});  // alive, but given up
  EXPECT_NO_THROW(old.require_held());
  EXPECT_THROW(RunLock(run.path()), LaunchError) << "nobody else may";
  EXPECT_THROW(RunLock(run.path(), checkpoint::Lease{"a", 3}), LaunchError)
      << "not one of the same generation";
  EXPECT_THROW(RunLock(run.path(), checkpoint::Lease{"a", 2}), LaunchError) << "nor an older one";
  EXPECT_THROW(RunLock(run.path(), checkpoint::Lease{"b", 9}), LaunchError) << "nor another run's";
  const RunLock fresh(run.path(), checkpoint::Lease{"a", 4});
  EXPECT_NO_THROW(fresh.require_held());
  EXPECT_THROW(old.require_held(), CommError);
}

TEST(RunLock, OfManyStartersOneWins) {
  for (int round = 0; round < 60; ++round) ASSERT_EQ(winners(6), 1) << "round " << round;
}

TEST(RunLock, LooksAndTakesUnderOneGuard) {  // the race above is too short to be met every time without it
  const TemporaryFolder run;
  const int folder = ::open(run.path().c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(folder, LOCK_EX), 0);
  std::atomic<bool> taken = false;
  std::thread starter([&] {
    const RunLock lock(run.path());
    taken = true;
  });
  ::usleep(100'000);
  EXPECT_FALSE(taken);
  ::close(folder);
  starter.join();
  EXPECT_TRUE(taken);
}

TEST(RunLock, AFolderThatCannotBeMadeIsACheckpointError) {
  EXPECT_THROW(RunLock("/proc/no/such"), CheckpointError);
}

}  // namespace
}  // namespace entrain::tests
