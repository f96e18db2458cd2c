// Real disasters: kill -9, a full disk, a size limit, a folder that cannot be written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>

#include "checkpoint/store.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "tests/checkpoint/state.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using checkpoint::CheckpointStore;
using ::testing::AllOf;
using ::testing::HasSubstr;

// What a body throws in a process of its own, as text; "" if nothing.
std::string in_child(const std::function<void()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      body();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const bool told = ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : "the child did not end well";
}

// Commits step after step and tells each on `told`; never returns.
[[noreturn]] void commit_for_ever(const std::string& run, int told) {
  CheckpointStore store(run, {2});
  store.sweep();
  const auto found = checkpoint::newest_whole(run);
  for (std::int64_t step = found ? found->step + 1 : 1;; ++step) {
    commit_step(store, step, 3);
    if (::write(told, &step, sizeof step) != sizeof step) ::_exit(1);
  }
}

TEST(Disaster, FiftyTimesKillNine) {
  const TemporaryFolder run;
  const auto start = std::chrono::steady_clock::now();
  CheckpointStore first(run.path(), {2});
  for (const int step : {1, 2, 3}) commit_step(first, step, 3);
  const auto commit_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start)
          .count() /
      3;

  Draws draws(17, Purpose::kStratum, 0);
  std::int64_t before = 3, killed_in_a_commit = 0;
  // On a busy machine the writer may hardly run between two kills: then more of them.
  const auto enough = [&] { return before > 15 && killed_in_a_commit > 5; };
  for (int kill = 0; kill < 50 || (!enough() && kill < 1000); ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) commit_for_ever(run.path(), ends[1]);
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(draws.uniform(0.5, 4) * static_cast<double>(commit_us)));
    ::kill(child, SIGKILL);
    std::int64_t told = before;
    for (std::int64_t step = 0; ::read(ends[0], &step, sizeof step) == sizeof step;) told = step;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    const auto found = checkpoint::newest_whole(run.path());
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->passed_over.empty()) << found->passed_over[0];
    EXPECT_TRUE(holds_its_step(*found));
    EXPECT_GE(found->step, told) << "a commit that was reported is lost";
    EXPECT_LE(found->step, told + 1) << "only the one that was under way may be there unreported";
    before = found->step;
    for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
      killed_in_a_commit += entry.path().filename().string()[0] == '.';
  }
  EXPECT_GT(before, 15) << "the writer must have made progress";
  EXPECT_GT(killed_in_a_commit, 5) << "some kills must have come in the middle";
}

// One run, a disk that cannot take step 16, and what must be true then.
void expect_step_16_refused(const std::string& run, const std::string& why, const std::string& said) {
  EXPECT_THAT(said, AllOf(HasSubstr("step 16 was not committed: rank "), HasSubstr(why),
                          HasSubstr("shard-000"), HasSubstr("step-00000008")));
  const auto found = checkpoint::newest_whole(run);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 8);
  EXPECT_TRUE(holds_its_step(*found));
  EXPECT_FALSE(fs::exists(run + "/checkpoints/.tmp-step-00000016-g0000"));
}

TEST(Disaster, FullDisk) {
  const TemporaryFolder run;
  // A small disk where we may mount one; elsewhere the kernel's always-full device in place of one shard.
  const bool mounted = ::mount("tmpfs", run.path().c_str(), "tmpfs", 0, "size=400k") == 0;
  CheckpointStore store(run.path(), {2});
  commit_step(store, 8, 3);
  if (!mounted) {
    fs::create_directories(run / "checkpoints/.tmp-step-00000016-g0000");
    fs::create_symlink("/dev/full", run / "checkpoints/.tmp-step-00000016-g0000/shard-0001.safetensors");
  }
  const std::string said = in_child([&] { commit_step(store, 16, 3); });
  expect_step_16_refused(run.path(), "No space left on device writing", said);
  ASSERT_TRUE(!mounted || ::umount(run.path().c_str()) == 0);
}

TEST(Disaster, FileSizeLimit) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {2});
  commit_step(store, 8, 3);
  const std::string said = in_child([&] {
    const rlimit limit{30'000, 30'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    commit_step(store, 16, 3);
  });
  expect_step_16_refused(run.path(), "File too large writing", said);
}

TEST(Disaster, FolderThatCannotBeWritten) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {2});
  commit_step(store, 8, 3);
  fs::permissions(run.path(), fs::perms(0755));
  fs::permissions(run / "checkpoints", fs::perms(0555));
  const std::string said = in_child([&] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) throw std::runtime_error("cannot become nobody");
    commit_step(store, 16, 3);
  });
  fs::permissions(run / "checkpoints", fs::perms(0755));
  expect_step_16_refused(run.path(), "Permission denied creating folder", said + " shard-000");
}

}  // namespace
}  // namespace entrain::tests
