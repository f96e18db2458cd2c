// Every row of the crash matrix: a commit is stopped at each single file operation, in three ways.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "checkpoint/resume.hpp"
#include "checkpoint/store.hpp"
#include "configs/error.hpp"
#include "tests/checkpoint/state.hpp"
#include "tests/support/faulty_file_system.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using checkpoint::CheckpointStore;
using checkpoint::Ledger;

constexpr int kKeep = 2;

// A run with steps 8 and 16, so that committing 24 also deletes 8.
class Crash : public ::testing::Test {
 protected:
  Crash() {
    CheckpointStore store(run_.path(), {kKeep});
    Ledger ledger(run_.path());
    ledger.append({{"kind", "START"}});
    store.set_generation(ledger.generation());
    for (const int step : {8, 16}) commit_step(store, step, 3, &ledger, step - 8);
  }
  void restore() {
    fs::remove_all(again_ / "run");
    fs::copy(run_.path(), again_ / "run", fs::copy_options::recursive);
  }
  std::string dir() const { return again_ / "run"; }

  void commit_24(FaultyFileSystem& files) {
    CheckpointStore store(dir(), {kKeep}, files);
    Ledger ledger(dir(), files);
    store.set_generation(ledger.generation());
    commit_step(store, 24, 3, &ledger, 16);
  }

  std::vector<std::string> undisturbed() {
    restore();
    FaultyFileSystem files(-1, Fault::kFail);
    commit_24(files);
    EXPECT_EQ(checkpoint::newest_whole(dir())->step, 24);
    return files.operations();
  }

  // The next start goes on from a whole checkpoint and commits as if nothing had been; afterwards the ledger counts on
  // an unbroken path of checkpoints. Returns the step it went on from.
  std::int64_t survives() {
    CheckpointStore store(dir(), {kKeep});
    Ledger ledger(dir());
    store.sweep();
    const auto point = checkpoint::resume_point(dir(), store, ledger, true);
    if (!point.from || !holds_its_step(*point.from)) return -1;
    for (const auto& entry : fs::directory_iterator(dir() + "/checkpoints"))
      if (entry.path().filename().string()[0] == '.') return -2;
    const std::int64_t from = point.from->step, next = from + 8;
    ledger.append({{"kind", "START"}});
    store.set_generation(ledger.generation());
    commit_step(store, next, 2, &ledger, from);
    const auto after = checkpoint::newest_whole(dir());
    if (!after || after->step != next || !holds_its_step(*after) || !after->passed_over.empty()) return -3;
    const auto records = checkpoint::read_ledger(dir()).records;
    return path_of(records) == (from == 24 ? "32 24 16 8 0" : "24 16 8 0") ? from : -4;
  }

  // From the last COMMIT over the parents; what is counted on must be there exactly once.
  static std::string path_of(const std::vector<nlohmann::json>& records) {
    std::string path;
    std::int64_t want = -1;
    for (auto r = records.rbegin(); r != records.rend(); ++r) {
      if (r->at("kind") != "COMMIT" || (want >= 0 && r->at("step") != want)) continue;
      path += std::to_string(r->at("step").get<std::int64_t>()) + ' ';
      want = r->at("parent");
    }
    return path + std::to_string(want);
  }

  TemporaryFolder run_, again_;
};

std::int64_t operation_that_commits(const std::vector<std::string>& operations) {
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (operations[i].find(".tmp-step-00000024-g0001 -> ") != std::string::npos)
      return static_cast<std::int64_t>(i);
  return -1;
}

TEST_F(Crash, EndOfTheProcessAtEveryOperation) {
  const auto operations = undisturbed();
  const auto commits = operation_that_commits(operations);
  ASSERT_GT(operations.size(), 30U);
  ASSERT_GT(commits, 15);
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(operations.size()); ++at) {
    restore();
    const pid_t child = ::fork();
    if (child == 0) {
      FaultyFileSystem files(at, Fault::kDie);
      commit_24(files);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9)
        << "the child was to end at " << operations[at];
    EXPECT_EQ(survives(), at <= commits ? 16 : 24)
        << "stopped before operation " << at << ": " << operations[at];
  }
}

TEST_F(Crash, PowerLossAtEveryOperation) {
  const auto operations = undisturbed();
  const auto commits = operation_that_commits(operations);
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(operations.size()); ++at) {
    restore();
    FaultyFileSystem files(at, Fault::kPower);
    bool stopped = false;
    try {
      commit_24(files);
    } catch (const PowerLoss&) {
      stopped = true;
    }
    ASSERT_TRUE(stopped);
    // One operation later than a killed process: the rename holds only once the folder is synced.
    EXPECT_EQ(survives(), at <= commits + 1 ? 16 : 24)
        << "power lost before operation " << at << ": " << operations[at];
  }
}

TEST_F(Crash, AnErrorAtEveryOperationEitherCommitsOrSaysSo) {
  const auto operations = undisturbed();
  int threw = 0, committed = 0;
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(operations.size()); ++at) {
    restore();
    FaultyFileSystem files(at, Fault::kFail);
    std::string what;
    try {
      commit_24(files);
    } catch (const CheckpointError& error) {
      what = error.what();
    }
    ASSERT_TRUE(files.was_hit());
    const auto newest = checkpoint::newest_whole(dir())->step;
    if (what.empty()) {
      ++committed;
      EXPECT_EQ(newest, 24) << operations[at];
    } else {
      ++threw;
      EXPECT_THAT(what, ::testing::HasSubstr("Input/output error doing " +
                                             operations[at].substr(0, operations[at].find(' '))));
      EXPECT_FALSE(fs::exists(dir() + "/checkpoints/.tmp-step-00000024-g0001")) << operations[at];
    }
    EXPECT_EQ(survives(), newest) << operations[at];
  }
  EXPECT_GT(threw, 15);
  EXPECT_GT(committed, 5);
}

TEST_F(Crash, DeletingTakesTheManifestFirst) {
  const auto operations = undisturbed();
  std::vector<std::string> removed;
  for (const auto& operation : operations)
    if (operation.rfind("remove_file", 0) == 0) removed.push_back(fs::path(operation).filename());
  ASSERT_GE(removed.size(), 4U);
  EXPECT_EQ(removed[0], "manifest.json");
}

}  // namespace
}  // namespace entrain::tests
