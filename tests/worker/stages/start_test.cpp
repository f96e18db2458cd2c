// What is settled before a stage begins: the same start on all ranks, a folder that is its own and that all see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <new>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/stage.hpp"
#include "worker/stages/together.hpp"

namespace entrain::tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What every rank is told by `check`, where rank r was started with settings[r]. All must be told the same.
std::string told(const std::vector<std::vector<std::string>>& settings,
                 const std::function<void(worker::Stage&)>& check) {
  std::vector<std::string> texts(settings.size());
  run_ranks(static_cast<int>(settings.size()), [&](worker::Collectives& comm) {
    const auto rank = static_cast<std::size_t>(comm.rank());
    const ResolvedConfig resolved = read_run_config("", settings[rank]);
    worker::LaneThreads threads(1);
    const auto device = worker::open_cpu();
    worker::Stage stage{resolved, comm, *device, threads, threads};
    try {
      check(stage);
    } catch (const Error& e) {
      EXPECT_TRUE(e.on_all_ranks());
      texts[rank] = cat(static_cast<int>(e.code()), ' ', e.what());
    }
  });
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
  return texts[0];
}

std::string same_start(const std::vector<std::vector<std::string>>& settings) {
  return told(settings, [](worker::Stage& stage) { worker::require_same_start(stage, "pretrain"); });
}

TEST(Start, OtherSettingsOnOneRankAreNamed) {
  EXPECT_THAT(
      same_start({{"optim.lr=0.3"}, {"optim.lr=0.3"}, {"optim.lr=0.1"}}),
      AllOf(StartsWith("78 rank 2: optim.lr is 0.1 but 0.3 on rank 0"), HasSubstr("start every rank")));
  EXPECT_THAT(same_start({{"train.steps=8"}, {"train.steps=9"}}),
              StartsWith("78 rank 1: train.steps is 9 but 8"));
  EXPECT_THAT(same_start({{"run.dir=a"}, {"run.dir=b"}}), StartsWith("78 rank 1: run.dir is b but a"));
}

TEST(Start, EqualSettingsAndLocalCopiesOfTheDataAreFine) {
  EXPECT_EQ(same_start({{"optim.lr=0.3"}, {"optim.lr=3e-1"}}), "");
  EXPECT_EQ(
      same_start({{"data.files=/here/a.h5", "run.threads=1"}, {"data.files=/there/a.h5", "run.threads=2"}}),
      "");
}

TEST(Start, AnotherCommandOnOneRankIsNamed) {
  EXPECT_THAT(told({{}, {}},
                   [](worker::Stage& stage) {
                     worker::require_same_start(stage, stage.leads() ? "pretrain" : "finetune");
                   }),
              StartsWith("78 rank 1: the command is finetune but pretrain"));
}

TEST(Start, AFolderThatRanksDoNotShareIsFoundBeforeTraining) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) std::filesystem::create_directory(folder / name);
  write_file(folder / "a/run.lock", "{\"pid\": 1}\n");
  const auto check = [](worker::Stage& stage) {
    worker::require_shared_run_folder(stage, std::chrono::milliseconds(300));
  };
  const std::string a = "run.dir=" + (folder / "a"), b = "run.dir=" + (folder / "b");
  EXPECT_EQ(told({{a}, {a}, {a}}, check), "");
  EXPECT_THAT(told({{a}, {b}}, check),
              AllOf(StartsWith("78 rank 1: "), HasSubstr("do not share this folder")));
  write_file(folder / "b/run.lock", "{\"pid\": 2}\n");  // the lock of somebody else
  EXPECT_THAT(told({{a}, {b}}, check), StartsWith("78 rank 1: "));
}

TEST(Start, AFolderOfAnotherCommandIsRefused) {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& command) -> std::string {
    try {
      worker::require_folder_of(folder.path(), command);
    } catch (const Error& e) {
      return cat(static_cast<int>(e.code()), ' ', e.what());
    }
    return "";
  };
  for (const char* command : {"pretrain", "finetune", "evaluate"}) EXPECT_EQ(refusal(command), "");
  write_file(folder / "metrics.json", R"({"stage": "finetune"})");
  EXPECT_EQ(refusal("finetune"), "");
  EXPECT_THAT(refusal("evaluate"),
              AllOf(StartsWith("73 "), HasSubstr("holds a finetune run"), HasSubstr("run.dir")));
  EXPECT_THAT(refusal("pretrain"), StartsWith("73 "));
  write_file(folder / "metrics.json", R"({"stage": "evaluate"})");
  EXPECT_EQ(refusal("evaluate"), "");
  EXPECT_THAT(refusal("finetune"), HasSubstr("holds an evaluate run"));
  write_file(folder / "metrics.json", R"({"accuracy": 1})");
  EXPECT_THAT(refusal("evaluate"), HasSubstr("a metrics.json that entrain did not write"));
  std::filesystem::remove(folder / "metrics.json");
  write_file(folder / "ledger.jsonl", "");
  EXPECT_EQ(refusal("pretrain"), "");
  EXPECT_THAT(refusal("evaluate"), HasSubstr("holds a pretrain run"));
  std::filesystem::remove(folder / "ledger.jsonl");
  std::filesystem::create_directory(folder / "checkpoints");
  EXPECT_THAT(refusal("evaluate"), HasSubstr("holds a training run"));
  EXPECT_EQ(refusal("finetune"), "");
}

TEST(Start, NoMemoryOnOneRankIs78OnAll) {
  EXPECT_THAT(told({{}, {}},
                   [](worker::Stage& stage) {
                     worker::together(stage.comm, [&] {
                       if (!stage.leads()) throw std::bad_alloc();
                     });
                   }),
              StartsWith("78 rank 1: not enough memory"));
}

}  // namespace
}  // namespace entrain::tests
