// The program `entrain` itself, as a user meets it: exit codes and the lines it prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "configs/error.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/commands.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using tests::Ran;
using tests::run;

const std::string kDemo = " " ENTRAIN_SOURCE_DIR "/configs/demo.yaml ";

TEST(FrontDoor, AMisspeltCommandIsNamedAndTheTablePrinted) {
  const Ran ran = run("entrain pretain x");
  EXPECT_EQ(ran.code, 64);
  EXPECT_THAT(ran.output, StartsWith("entrain: no command \"pretain\"; did you mean pretrain?\n"));
  for (const Command& command : kCommands) EXPECT_THAT(ran.output, HasSubstr(std::string(command.help)));
  EXPECT_THAT(run("entrain zzzzzz").output, StartsWith("entrain: no command \"zzzzzz\"\n"));
}

TEST(FrontDoor, HelpAndVersionGoToStdout) {
  for (const auto* words : {"--help", "-h", "help"}) {
    const Ran ran = run(std::string("entrain ") + words + " 2>/dev/null");
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(ran.output, command_table()) << words;
  }
  EXPECT_THAT(run("entrain --version").output, ::testing::MatchesRegex("entrain [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const Ran none = run("entrain 2>/dev/null");
  EXPECT_EQ(none.code, 64);
  EXPECT_EQ(none.output, "");
}

TEST(FrontDoor, EveryCommandThatTakesAConfigHasHelpAndNeedsOne) {
  int seen = 0;
  for (const Command& command : kCommands) {
    if (!command.takes_config()) continue;
    ++seen;
    const std::string name(command.name);
    for (const std::string& words : {name + " --help", "help " + name}) {
      const Ran ran = run("entrain " + words);
      EXPECT_EQ(ran.code, 0) << words;
      EXPECT_THAT(ran.output,
                  AllOf(StartsWith("usage: entrain " + name + " CONFIG"), HasSubstr("--print-config")));
    }
    const Ran printed = run("entrain " + name + kDemo + "batch.lanes=2 --print-config");
    EXPECT_EQ(printed.code, 0);
    EXPECT_THAT(printed.output, ::testing::ContainsRegex("lanes: 2 +# command line\n"));
    EXPECT_THAT(printed.output,
                ::testing::ContainsRegex("lane_images: [0-9]+ +# .*configs/demo.yaml:[0-9]+:3\n"));
  }
  EXPECT_GE(seen, 4);
}

TEST(FrontDoor, PrintedConfigurationReadsBack) {
  const tests::TemporaryFolder folder;
  ASSERT_EQ(run("entrain plan" + kDemo + "--print-config > " + (folder / "a.yaml")).code, 0);
  ASSERT_EQ(run("entrain plan " + (folder / "a.yaml") + " --print-config > " + (folder / "b.yaml")).code, 0);
  const Ran same = run("diff <(sed 's/ *#.*//' " + (folder / "a.yaml") + ") <(sed 's/ *#.*//' " +
                       (folder / "b.yaml") + ")");
  EXPECT_EQ(same.code, 0) << same.output;
  EXPECT_GT(std::filesystem::file_size(folder / "a.yaml"), 1000U);
}

TEST(FrontDoor, ConfigMistakesAreOneLineAnd64) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "x.yaml") << "views:\n  crop_pixel: 64\n";
  const auto refused = [](const std::string& command, const std::string& text) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.code, 64) << command;
    EXPECT_THAT(ran.output, HasSubstr(text));
    EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 1) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("] error: "));
  };
  refused("entrain plan " + (folder / "x.yaml"),
          (folder / "x.yaml:2:3: views.crop_pixel: unknown key; did you mean crop_pixels?"));
  refused("entrain plan", "entrain plan: want a CONFIG");
  refused("entrain plan nowhere.yaml", "nowhere.yaml: cannot open");
  refused("entrain plan a.yaml b.yaml", "one CONFIG at a time");
  refused("entrain plan" + kDemo + "--sample 3", "no option \"--sample\"; did you mean --samples?");
  refused("entrain plan" + kDemo + "--samples", "--samples: want a value");
  refused("entrain plan" + kDemo + "--samples many", "--samples: want a number above 0");
  refused("entrain plan" + kDemo + "--throughput=-1", "--throughput: want a number above 0");
  refused("entrain plan" + kDemo + "batch.lanes=x batch.lanes=2",
          "command line: batch.lanes: given twice, as \"x\" and as \"2\"");
  refused("entrain plan" + kDemo + "--samples 3 --samples=4", "--samples: given twice");
  refused("entrain verify ''", "argument 2 is empty");
  refused("entrain export --from a --out ''", "argument 5 is empty");
}

// Found while the command line is read, before a launcher's ranks wait for each other.
TEST(FrontDoor, WhatNoRunCanBeginWithIs64) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  const auto refusal = [](const std::string& verb, std::vector<std::string> args) -> std::string {
    args.insert(args.begin(), ENTRAIN_SOURCE_DIR "/configs/demo.yaml");
    try {
      parse_config_command(verb, args);
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "";
  };
  for (const char* verb : {"plan", "pretrain", "finetune", "evaluate"}) {
    EXPECT_EQ(refusal(verb, {}), "");
    EXPECT_EQ(refusal(verb, {"data.files="}), "command line: data.files: want HDF5 files or globs, got none");
    EXPECT_THAT(refusal(verb, {"run.dir=" + (folder / "file")}),
                StartsWith("command line: run.dir: want a folder, got"));
    EXPECT_THAT(refusal(verb, {"run.dir=caf\xE9"}), HasSubstr("run.dir: want UTF-8 text, got \"caf\\xe9\""));
    EXPECT_THAT(refusal(verb, {"optim.lr=x", "optim.lr=1"}), HasSubstr("optim.lr: given twice"));
  }
  for (const char* verb : {"plan", "pretrain"})
    EXPECT_THAT(refusal(verb, {"batch.lanes=1", "batch.lane_images=1"}),
                HasSubstr("at least 2 images in the global batch"));
  EXPECT_EQ(refusal("finetune", {"batch.lanes=1", "batch.lane_images=1"}), "");
}

TEST(FrontDoor, AFolderDeletedUnderItIs78) {
  for (const std::string& words : {"plan" + kDemo, "pretrain" + kDemo, std::string("verify x")}) {
    const Ran ran = run(
        "mkdir -p /tmp/entrain-gone && cd /tmp/entrain-gone && rmdir /tmp/entrain-gone && entrain " + words);
    EXPECT_EQ(ran.code, 78) << ran.output;
    EXPECT_THAT(ran.output, HasSubstr("the current folder cannot be used"));
  }
}

TEST(FrontDoor, MissingDataIs65) {
  const Ran ran = run("cd /tmp && entrain plan" + kDemo + "data.files=/nowhere/*.h5");
  EXPECT_EQ(ran.code, 65);
  EXPECT_THAT(ran.output, HasSubstr("/nowhere/*.h5"));
}

TEST(FrontDoor, PlanNeedsNoFilesWithSamples) {
  const Ran ran = run("entrain plan" + kDemo + "train.epochs=10 --samples 10000000 --throughput 1000 --json");
  EXPECT_EQ(ran.code, 0);
  const auto json = nlohmann::json::parse(ran.output);
  EXPECT_EQ(json.at("images"), 10'000'000);
  EXPECT_GT(json.at("steps").get<std::int64_t>(), 1000);
  EXPECT_NEAR(json.at("seconds").get<double>(),
              json.at("steps").get<double>() * 2 * json.at("global_batch").get<double>() / 1000, 1e-6);
  EXPECT_THAT(run("entrain plan" + kDemo + "--samples 2048").output,
              AllOf(HasSubstr("corpus\n"), HasSubstr("per rank"), HasSubstr("disk\n")));
}

// A copy of the front door with a worker of our own beside it: what is handed over, word for word.
TEST(FrontDoor, ComputingVerbsAreHandedToTheWorkerBesideIt) {
  const tests::TemporaryFolder folder;
  std::filesystem::copy_file(ENTRAIN_BIN_DIR "/entrain", folder / "entrain");
  const Ran alone = run((folder / "entrain") + " pretrain x.yaml");
  EXPECT_EQ(alone.code, 78);
  EXPECT_THAT(alone.output, AllOf(HasSubstr(folder / "entrain-worker: cannot be started"),
                                  HasSubstr("build the target entrain-worker")));

  std::ofstream(folder / "entrain-worker") << "#!/bin/sh\nprintf '<%s>' \"$@\"\nexit 75\n";
  ::chmod((folder / "entrain-worker").c_str(), 0755);
  int handed = 0;
  for (const Command& command : kCommands) {
    if (command.program != Program::kWorker) continue;
    const std::string name(command.name);
    const Ran ran = run("ln -sf " + (folder / "entrain") + " " + (folder / "link") + "; " +
                        (folder / "link") + " " + name + " 'a b' run.dir=x --json");
    EXPECT_EQ(ran.code, 75);
    EXPECT_EQ(ran.output, "<" + name + "><a b><run.dir=x><--json>");
    ++handed;
  }
  EXPECT_GE(handed, 4);
}

TEST(FrontDoor, AClosedPipeEndsItQuietly) {
  // PIPESTATUS of the program; the parent ignores SIGPIPE, as Python does.
  const Ran ran =
      run("trap '' PIPE; entrain plan" + kDemo + "--samples 5000 --json | true; echo ${PIPESTATUS[0]}");
  EXPECT_EQ(ran.output, "0\n");
  // The verdict outlives its reader: there is no checkpoint.
  const tests::TemporaryFolder empty;
  std::filesystem::create_directory(empty / "checkpoints");
  EXPECT_EQ(run("entrain verify " + empty.path() + " | true; echo ${PIPESTATUS[0]}").output, "73\n");
}

TEST(FrontDoor, AFullDeviceIsSaid) {
  const Ran ran = run("entrain plan" + kDemo + "--samples 5000 > /dev/full");
  EXPECT_EQ(ran.code, 73);
  EXPECT_THAT(ran.output, HasSubstr("stdout: cannot be written to (No space left on device)"));
}

TEST(FrontDoor, LinksNeitherLibTorchNorMpi) {
  const Ran ran = run("ldd \"$(command -v entrain)\"");
  ASSERT_EQ(ran.code, 0);
  EXPECT_THAT(ran.output, HasSubstr("libstdc++"));
  EXPECT_THAT(ran.output,
              AllOf(Not(HasSubstr("libtorch")), Not(HasSubstr("libc10")), Not(HasSubstr("libmpi"))));
}

}  // namespace
}  // namespace entrain::coordinator
