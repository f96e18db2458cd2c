// What no job can come to a good end with is said by `entrain submit`, before the queue, with the key that is at fault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "slurm/job_record.hpp"
#include "tests/slurm/fake_site.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using tests::Ran;

const std::string kConfigs = ENTRAIN_SOURCE_DIR "/configs/";
const std::string kPretrain = kConfigs + "demo.yaml ", kFinetune = kConfigs + "finetune_demo.yaml ",
                  kEvaluate = kConfigs + "evaluate_demo.yaml ";

class SubmitChecks : public ::testing::Test {
 protected:
  SubmitChecks() {
    const Ran made = entrain("ingest phantom --out d.h5 --images 256 --px 32 --seed 1");
    EXPECT_EQ(made.code, 0) << made.output;
  }
  // `before`: shell words in front, such as functions that the machine shall know.
  Ran entrain(const std::string& words, const std::string& before = "") {
    return tests::run(site_.environment() + "cd '" + (site_ / "") + "' && " + before + program_ + " " +
                      words);
  }
  Ran submit(const std::string& words, const std::string& before = "") {
    return entrain("submit " + words + " data.files=d.h5 slurm.time=1h", before);
  }
  void refused(const std::string& words, int code, const std::string& text) {
    const Ran ran = submit(words);
    EXPECT_EQ(ran.code, code) << words << '\n' << ran.output;
    EXPECT_THAT(ran.output, HasSubstr(text)) << words;
    EXPECT_THAT(site_.calls("sbatch --parsable"), IsEmpty()) << words;
  }
  void taken(const std::string& words) {
    const auto before = site_.calls("sbatch --parsable").size();
    const Ran ran = submit(words);
    EXPECT_EQ(ran.code, 0) << words << '\n' << ran.output;
    EXPECT_THAT(site_.calls("sbatch --parsable"), SizeIs(before + 1)) << words;
  }
  // A build whose worker says what CUDA it has; the front door looks for it beside itself.
  void build_with_cuda(const std::string& version) {
    const std::string folder = site_ / "build";
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(ENTRAIN_BIN_DIR "/entrain", folder + "/entrain",
                               std::filesystem::copy_options::overwrite_existing);
    tests::write_file(folder + "/entrain-worker",
                      "#!/bin/bash\necho 'some banner'\necho '{\"cuda\": \"" + version + "\"}'\n");
    std::filesystem::permissions(folder + "/entrain-worker", std::filesystem::perms::owner_all);
    program_ = "'" + folder + "/entrain'";
  }
  // As a run's folder looks once its first commit is there.
  void commit(const std::string& run, const std::string& stage) {
    const std::string folder = site_ / ("runs/" + run + "/checkpoints/step-00000010");
    std::filesystem::create_directories(folder);
    tests::write_file(folder + "/manifest.json", "{\"stage\": \"" + stage + "\", \"step\": 10}");
  }

  tests::FakeSite site_;
  std::string program_ = ENTRAIN_BIN_DIR "/entrain";
};

TEST_F(SubmitChecks, MoreMinimalRanksThanThereAreIs64) {
  refused(kPretrain + "fault.min_ranks=5", 64,
          "command line: fault.min_ranks: want at most the ranks that a job begins with, 1 (slurm.nodes 1 x "
          "slurm.ranks_per_node 1), got 5");
  refused(kPretrain + "--sweep fault.min_ranks=1,3 slurm.nodes=2", 64,
          "--sweep: row 1: " + kConfigs + "demo.yaml: command line: fault.min_ranks: want at most");
  refused(kPretrain + "--sweep batch.lanes=2,1 slurm.nodes=2", 64, "row 1: ");
  taken(kPretrain + "fault.min_ranks=2 slurm.nodes=2");
}

TEST_F(SubmitChecks, AnEvaluationOfNothingIs64) {
  tests::write_file(site_ / "e.yaml", "run:\n  dir: runs/e\n");
  refused("e.yaml --stage evaluate", 64,
          "e.yaml: default: init.from: is not set: evaluate needs the run directory of a fine-tuning");
  refused("e.yaml --stage evaluate --sweep init.from=runs/a,scratch", 64, "row 1: ");
}

TEST_F(SubmitChecks, WhatAStageBeginsFromMustBeThere) {
  refused(
      kPretrain + "init.from=runs/nosuch", 65,
      "error    init.from is runs/nosuch (command line), which does not exist; set it to the run.dir of a "
      "run that has ended\n");
  std::filesystem::create_directories(site_ / "runs/empty");
  refused(kFinetune + "--stage finetune init.from=runs/empty", 65,
          "which holds no checkpoint (runs/empty/checkpoints/step-*)");
  commit("pre", "pretrain");
  refused(kEvaluate + "--stage evaluate init.from=runs/pre", 65,
          "init.from is runs/pre (command line), which is a pretrain run and has no classifier: fine-tune it "
          "first; set it to the run.dir of a fine-tuning that has ended");
  tests::write_file(site_ / "w.safetensors", "");
  refused(kEvaluate + "--stage evaluate init.from=w.safetensors", 65, "which is a file, not a run");
  refused(kFinetune + "--stage finetune --sweep init.from=runs/pre,runs/nosuch", 65,
          "init.from is runs/nosuch (row 1), which does not exist");

  taken(kFinetune + "--stage finetune init.from=runs/pre");
  taken(kFinetune + "--stage finetune init.from=runs/pre/checkpoints/step-00000010 run.dir=runs/f1");
  taken(kFinetune + "--stage finetune init.from=w.safetensors run.dir=runs/f2");
  taken(kFinetune + "--stage finetune init.from=scratch run.dir=runs/f3");
  commit("tuned", "finetune");
  taken(kEvaluate + "--stage evaluate init.from=runs/tuned");
  commit("goes-on", "pretrain");
  taken(kPretrain + "run.dir=runs/goes-on init.from=runs/nosuch");
}

TEST_F(SubmitChecks, AFinetuningNeedsLabelsAndSplits) {
  commit("pre", "pretrain");
  const std::string tune = kFinetune + "--stage finetune init.from=runs/pre ";
  refused(kPretrain + "--stage finetune run.dir=runs/f init.from=runs/pre", 65,
          "no labelled image in split \"val\" (finetune.val_split); splits here: train (");
  refused(tune + "data.label=\\\"\\\"", 65, "there is no label column; finetune needs a class per image");
  refused(tune + "data.split=\\\"\\\"", 65, "there is no split column");
  refused(tune + "finetune.val_split=train", 64, "finetune.val_split: want another split than");
  EXPECT_THAT(submit(tune).output, ContainsRegex("ok       labels: [a-z]+, [a-z]+\n"));

  commit("tuned", "finetune");
  const Ran none = submit(kEvaluate + "--stage evaluate init.from=runs/tuned data.label=\\\"\\\"");
  EXPECT_EQ(none.code, 65);
  EXPECT_THAT(none.output, HasSubstr("there is no label column; evaluate needs"));
}

TEST_F(SubmitChecks, ABuildForCpusIsAskedForNoGpus) {
  build_with_cuda("");
  refused(kPretrain + "run.device=cuda", 78,
          "error    run.device is cuda (command line), but this build, which the job starts (" +
              (site_ / "build/entrain-worker") + "), is for CPUs only");
  const Ran held = submit(kPretrain + "slurm.gpus_per_node=1");
  EXPECT_EQ(held.code, 0) << held.output;
  EXPECT_THAT(held.output,
              HasSubstr("warning  slurm.gpus_per_node is 1 (command line), but this build computes "
                        "on CPUs only: the GPUs would be held and stand idle"));
  const Ran both = submit(kPretrain + "slurm.gpus_per_node=1 run.device=cpu run.dir=runs/b");
  EXPECT_THAT(both.output,
              HasSubstr("warning  slurm.gpus_per_node is 1, but run.device is cpu (command line)"));

  build_with_cuda("13.0");
  for (const char* words : {"run.device=cuda slurm.gpus_per_node=1 run.dir=runs/c",
                            "slurm.gpus_per_node=1 run.dir=runs/d", "run.dir=runs/e"}) {
    const Ran fine = submit(kPretrain + words);
    EXPECT_EQ(fine.code, 0) << fine.output;
    EXPECT_THAT(fine.output, Not(HasSubstr("gpus_per_node"))) << words;
    EXPECT_THAT(fine.output, Not(HasSubstr("run.device"))) << words;
  }
}

TEST_F(SubmitChecks, AContainerIsAFileOrAnImage) {
  refused(kPretrain + "slurm.container=./nosuch.sqsh", 69, "slurm.container: there is no file ./nosuch.sqsh");
  refused(kPretrain + "slurm.container=nosuch.sif", 69, "as in ./nosuch.sif");
  refused(kPretrain + "slurm.container=./x.sqsh slurm.launcher=mpirun", 64,
          "slurm.container: is for srun, and slurm.launcher is mpirun");
  tests::write_file(site_ / "x.sqsh", "");
  const Ran no_pyxis = submit(kPretrain + "slurm.container=./x.sqsh");
  EXPECT_EQ(no_pyxis.code, 0) << no_pyxis.output;
  EXPECT_THAT(no_pyxis.output, HasSubstr("warning  slurm.container: srun knows no --container-image here"));
  site_.lay("srun.help.out", "      --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH\n");
  for (const char* image : {"./x.sqsh", "nvcr.io#nvidia/pytorch:24.01-py3"}) {
    const Ran fine = submit(kPretrain + "run.dir=runs/c slurm.container='" + image + "'");
    EXPECT_EQ(fine.code, 0) << fine.output;
    EXPECT_THAT(fine.output, Not(HasSubstr("slurm.container"))) << image;
  }
}

TEST_F(SubmitChecks, ModulesThatCannotBeLoadedHereAreNamed) {
  const std::string knows = "module() { [ \"$1\" = purge ] || [ \"$2\" = gcc ]; }; export -f module; ";
  const Ran ran = submit(kPretrain + "slurm.modules=gcc,nosuch,openmpi/9", knows);
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_THAT(ran.output,
              HasSubstr("warning  slurm.modules: could not be loaded here: nosuch, openmpi/9; if"));
  EXPECT_THAT(submit(kPretrain + "run.dir=runs/b slurm.modules=gcc", knows).output,
              Not(HasSubstr("slurm.modules")));
}

TEST_F(SubmitChecks, ARefusalOfSbatchNamesTheSettingsAndTheNodes) {
  site_.lay("sbatch.test-only.code", "1");
  site_.lay("sbatch.test-only.err", "allocation failure: Requested node configuration is not available\n");
  site_.lay("sinfo.noheader.out", "2|2|3904|(null)|n[1-2]\n1|8|64000|gpu:4|g1\n");
  refused(
      kPretrain + "slurm.cpus_per_rank=8 slurm.memory=7000M slurm.exclude=n1", 69,
      "error    sbatch: allocation failure: Requested node configuration is not available; asked for: "
      "slurm.nodes=1 slurm.ranks_per_node=1 slurm.cpus_per_rank=8 slurm.memory=7000M slurm.time=1h "
      "slurm.exclude=n1; partition low has n[1-2] (2) of 2 CPUs, 3904 MB, no GRES; g1 (1) of 8 CPUs, 64000 "
      "MB, GRES gpu:4\n");
  EXPECT_THAT(site_.calls("sinfo"), ::testing::ElementsAre(HasSubstr(" --partition=low ")));
  site_.lay("sinfo.noheader.code", "1");
  refused(kPretrain + "slurm.partition=high", 69, "slurm.time=1h slurm.partition=high\n");
  refused(kPretrain + "slurm.memory=x", 64, "command line: slurm.memory: want memory per node");
}

TEST_F(SubmitChecks, AnOptionThatAKeySetsIs64) {
  for (const char* option :
       {"--nodes=2", "-N2", "-N 2", "--mail-type=END --nodes=2", "--ntasks-per-node=2", "-p"})
    refused(kPretrain + "slurm.options='[\"" + std::string(option) + "\"]'", 64, " would go before slurm.");
  refused(
      kPretrain + "slurm.options=--nodes=2 slurm.nodes=1", 64,
      "command line: slurm.options: --nodes=2 would go before slurm.nodes (1, command line), which the run "
      "goes by; leave it out and set slurm.nodes\n");
  refused(kPretrain + "slurm.options=--mem=3G slurm.memory=2G", 64, "slurm.memory (2G, command line)");
  taken(kPretrain + "slurm.options=--mem=3G,--gpus-per-node=a100:4,--exclusive");
  taken(kPretrain + "run.dir=runs/b slurm.options='[\"--comment=\\\"no --nodes=2 here\\\"\"]'");
}

TEST_F(SubmitChecks, AListOfBadNodesThatIsNoneIsTold) {
  std::filesystem::create_directories(site_ / "runs/demo");
  for (const char* text : {"garbage", "", "{\"node\": \"n1\"}"}) {
    tests::write_file(site_ / "runs/demo/bad_nodes.json", text);
    EXPECT_THAT(submit(kPretrain).output,
                HasSubstr("warning  bad nodes: " + (site_ / "runs/demo/bad_nodes.json") +
                          ": is no list (JSON) and is passed over"));
  }
  tests::write_file(site_ / "runs/demo/bad_nodes.json", "[\n]\n");
  EXPECT_THAT(submit(kPretrain).output, Not(HasSubstr("bad nodes")));
}

TEST_F(SubmitChecks, CancelChainNamesTheRowsThatWait) {
  std::filesystem::create_directories(site_ / "runs/demo");
  slurm::append_job(site_ / "runs/demo", {"148", "pretrain", "", ""});
  site_.lay("squeue.format.out", "148_[2-3%1]|PENDING\n148_1|PENDING\n148_0|RUNNING\n");
  const Ran ran = entrain("submit " + kPretrain + "--cancel-chain");
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_EQ(ran.output,
            "job 148_[2-3%1]  cancelled\njob 148_1  cancelled\njob 148_0  is RUNNING and goes on; to end it: "
            "scancel 148_0\n");
  EXPECT_THAT(site_.calls("scancel"), ::testing::ElementsAre("scancel --state=PENDING 148"));
}

}  // namespace
}  // namespace entrain::coordinator
