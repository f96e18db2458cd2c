// Starts that cannot work, and ends that lose nothing: the programs as a user meets them, on real ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "tests/system/small_run.hpp"

namespace entrain::tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Start : public testing::Test {
 protected:
  static void SetUpTestSuite() { small_ = new SmallRun; }
  static void TearDownTestSuite() { delete small_; }

  static std::string config(const char* name) { return cat(ENTRAIN_SOURCE_DIR "/configs/", name, ' '); }
  static std::string settings(const std::string& name) {
    return cat(config("demo.yaml"), "run.dir=", small_->dir(name), " data.files=", small_->corpus(),
               " train.steps=4 batch.lanes=4 views.crop_pixels=32 checkpoint.every=2steps ");
  }
  static long errors(const std::string& output) {
    long count = 0;
    for (auto at = output.find("] error: "); at != output.npos; at = output.find("] error: ", at + 1))
      ++count;
    return count;
  }
  // One line of ours says `text`, no rank repeats it, and nothing hangs.
  static void refused(const std::string& command, int code, const std::string& text) {
    const Ran ran = run(command, 60);
    EXPECT_EQ(ran.code, code) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(text));
    EXPECT_EQ(errors(ran.output), 1) << ran.output;
  }
  static nlohmann::json verdict(const std::string& name) {
    return nlohmann::json::parse(read_file(small_->dir(name) + "/exit.json"));
  }

  static SmallRun* small_;
};
SmallRun* Start::small_ = nullptr;

TEST_F(Start, RanksOfOtherSettingsAreRefused) {
  const std::string one = "entrain pretrain " + settings("mixed") + "batch.lane_images=4 ";
  for (const auto& [more, text] : std::vector<std::pair<std::string, std::string>>{
           {"optim.lr=0.02", "rank 1: optim.lr is 0.02 but "},
           {"method.temperature=0.7", "rank 1: method.temperature is 0.7 but "},
           {"optim.momentum=x", "rank 1: command line: optim.momentum: want a number"}})
    refused(cat("exec mpirun -n 1 ", one, ": -n 1 ", one, more), more == "optim.momentum=x" ? 64 : 78, text);
  EXPECT_FALSE(std::filesystem::exists(small_->dir("mixed"))) << "nothing was begun";
  const std::string other = "entrain pretrain " + settings("elsewhere") + "batch.lane_images=4 ";
  refused(cat("exec mpirun -n 1 ", one, ": -n 1 ", other), 78, "rank 1: run.dir is ");
}

TEST_F(Start, ABrokenLogPipeDoesNotEndTraining) {
  // The reader takes one line and goes; what is logged later is lost, what is trained is not.
  const Ran ran = run("entrain pretrain " + settings("piped") +
                      "batch.lane_images=4 2>&1 >/dev/null | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}");
  EXPECT_EQ(ran.output, "0\n");
  EXPECT_EQ(newest_step(small_->dir("piped")), 4);
  EXPECT_FALSE(std::filesystem::exists(small_->dir("piped") + "/run.lock"));
  EXPECT_EQ(verdict("piped").at("code"), 0);
}

TEST_F(Start, AFileOfTheLargestSizeIsAnErrorOfTheCommitNotTheEndByASignal) {
  const Ran ran = run("ulimit -f 20000; entrain pretrain " + settings("limited") +
                      "batch.lane_images=4 2>&1 | cat; echo ${PIPESTATUS[0]}");
  EXPECT_THAT(ran.output, AllOf(HasSubstr("File too large"), testing::EndsWith("\n73\n"))) << ran.output;
}

TEST_F(Start, TooFewFilesAre78AndSaid) {
  refused("ulimit -n 20; entrain pretrain " + settings("files") + "batch.lane_images=4", 78,
          "may open 20 files at most (ulimit -n)");
  EXPECT_EQ(run("ulimit -Sn 20; entrain pretrain " + settings("files") + "batch.lane_images=4").code, 0)
      << "the hard limit allows more, so nobody has to ask";
}

TEST_F(Start, ARefusedCommandLeavesTheFolderOfAnotherAlone) {
  ASSERT_EQ(run("entrain pretrain " + settings("ssl") + "batch.lane_images=4").code, 0);
  const std::string rest = cat("data.files=", small_->corpus(), " views.crop_pixels=32 ");
  const std::string tuned =
      cat("entrain finetune ", config("finetune_demo.yaml"), rest, "finetune.mode=linear ",
          "model.name=bit_r14x0.5 init.from=scratch run.dir=", small_->dir("tuned"));
  const Ran made = run(tuned);
  ASSERT_EQ(made.code, 0) << made.output;
  const std::string evaluate = cat("entrain evaluate ", config("evaluate_demo.yaml"), rest,
                                   "init.from=", small_->dir("tuned"), " run.dir=");
  const auto files_of = [](const std::string& name) {
    std::string all;
    for (const char* file : {"exit.json", "config.resolved.yaml", "metrics.json", "predictions.csv"})
      if (std::filesystem::exists(small_->dir(name) + "/" + file))
        all += read_file(small_->dir(name) + "/" + file);
    return all;
  };
  const std::string ssl = files_of("ssl"), fine = files_of("tuned");
  refused(evaluate + small_->dir("ssl"), 73, "holds a pretrain run");
  refused(evaluate + small_->dir("tuned"), 73, "holds a finetune run");
  refused(cat("entrain finetune ", config("finetune_demo.yaml"), rest,
              "init.from=scratch run.dir=", small_->dir("ssl")),
          73, "holds a pretrain run");
  refused("entrain pretrain " + settings("tuned"), 73, "holds a finetune run");
  refused(tuned + " finetune.repeat=3", 73, "finetune.repeat was 0 and is 3");
  EXPECT_EQ(files_of("ssl"), ssl);
  EXPECT_EQ(files_of("tuned"), fine);

  ASSERT_EQ(run(evaluate + small_->dir("test")).code, 0);
  EXPECT_EQ(run(evaluate + small_->dir("test") + " > /dev/full").code, 73)
      << "the same again; its answer is lost";
  EXPECT_EQ(verdict("test").at("code"), 0) << "but its files are not";
  EXPECT_EQ(
      run(cat("entrain export --from ", small_->dir("tuned"), " --out ", small_->dir("x"), " > /dev/full"))
          .code,
      73);
}

}  // namespace
}  // namespace entrain::tests
