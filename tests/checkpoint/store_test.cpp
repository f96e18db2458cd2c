#include "checkpoint/store.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <numeric>
#include <set>

#include "checkpoint/manifest.hpp"
#include "checkpoint/verify.hpp"
#include "configs/error.hpp"
#include "coordinator/commands.hpp"
#include "tests/checkpoint/state.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

namespace fs = std::filesystem;
using checkpoint::CheckpointReader;
using checkpoint::CheckpointStore;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string said(const std::function<void()>& what) {
  try {
    what();
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

void flip_bit(const std::string& path, std::size_t byte) {
  std::string bytes = read_file(path);
  bytes.at(byte) = static_cast<char>(bytes[byte] ^ 4);
  write_file(path, bytes);
}

TEST(ShardOf, EveryTensorExactlyOnceBalancedByBytes) {
  std::vector<checkpoint::TensorView> all;
  std::size_t total = 0;
  for (int i = 0; i < 40; ++i) {
    all.push_back({"t" + std::to_string(i * 7 % 40), checkpoint::DType::kF32, {1 + i * i, 1000}});
    total += all.back().bytes();
  }
  ASSERT_GT(total, std::size_t{64} << 20);
  for (const int world : {1, 2, 3, 4, 8, 64}) {
    std::vector<int> seen(all.size(), 0);
    std::size_t most = 0;
    for (int rank = 0; rank < world; ++rank) {
      std::size_t bytes = 0;
      for (const auto i : checkpoint::shard_of(all, rank, world)) {
        ++seen[i];
        bytes += all[i].bytes();
      }
      most = std::max(most, bytes);
    }
    EXPECT_THAT(seen, ::testing::Each(1)) << world;
    if (world <= 8) {
      EXPECT_LT(static_cast<double>(most), 1.02 * static_cast<double>(total) / world) << "balanced by bytes";
    }
  }
}

TEST(ShardOf, DoesNotDependOnTheOrderAndMakesOneFileOfASmallState) {
  const State state(1);
  auto reversed = state.tensors();
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(checkpoint::shard_of(state.tensors(), 0, 8).size(), 7U);
  EXPECT_TRUE(checkpoint::shard_of(state.tensors(), 1, 8).empty());
  for (auto& tensor : reversed) tensor.shape.push_back(100);
  auto forward = reversed;
  std::reverse(forward.begin(), forward.end());
  for (int rank = 0; rank < 3; ++rank) {
    std::set<std::string> a, b;
    for (const auto i : checkpoint::shard_of(forward, rank, 3)) a.insert(forward[i].name);
    for (const auto i : checkpoint::shard_of(reversed, rank, 3)) b.insert(reversed[i].name);
    EXPECT_EQ(a, b);
    EXPECT_FALSE(a.empty());
  }
}

TEST(Store, WhatAnyNumberOfRanksWroteReadsTheSame) {
  std::set<std::string> digests;
  for (const int world : {1, 2, 3, 4, 8}) {
    const TemporaryFolder run;
    CheckpointStore store(run.path(), {3});
    commit_step(store, 8, world);
    const auto found = checkpoint::open_checkpoint(run.path());
    EXPECT_EQ(found.manifest["world"], world);
    EXPECT_EQ(found.manifest["stage"], "pretrain");
    EXPECT_TRUE(holds_its_step(found)) << world;
    digests.insert(checkpoint::weights_digest(CheckpointReader(found.dir).tensors()));
  }
  EXPECT_EQ(digests.size(), 1U);
}

TEST(Store, DigestIsOfWeightsOnlyInNameOrder) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {2});
  commit_step(store, 8, 3);
  const State state(8);
  std::map<std::string, std::string> by_name;
  for (const auto& t : state.tensors())
    by_name[t.name].assign(reinterpret_cast<const char*>(t.data), t.bytes());
  ASSERT_EQ(by_name.erase("optim.momentum.encoder.stages.0.weight"), 1U);
  std::string all;
  for (const auto& [name, bytes] : by_name) all += bytes;
  const auto found = checkpoint::open_checkpoint(run.path() + "/checkpoints/step-00000008/");
  EXPECT_EQ(checkpoint::weights_digest(CheckpointReader(found.dir).tensors()), checkpoint::sha256_of(all));
}

TEST(Store, KeepsTheNewestAndSweeps) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {1});  // two all the same
  for (const int step : {8, 16, 24, 32}) commit_step(store, step, 2);
  EXPECT_THAT(checkpoint::committed_steps(run.path()), ElementsAre(32, 24));
  EXPECT_EQ(read_file(run / "LATEST"), "step-00000032\n");
  fs::create_directory(run / "checkpoints/.tmp-step-00000040-g0000");
  write_file(run / "checkpoints/.tmp-step-00000040-g0000/shard-0000.safetensors", "half");
  fs::create_directory(run / "checkpoints/.trash-step-00000016");
  store.sweep();
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints"), {}), 2);
}

TEST(Store, ABrokenOneIsNoReasonToDeleteAWholeOne) {
  const TemporaryFolder run;
  {
    CheckpointStore store(run.path(), {2});
    for (const int step : {8, 16}) commit_step(store, step, 3);
  }
  flip_bit(run / "checkpoints/step-00000016/shard-0000.safetensors", 3000);
  CheckpointStore later(run.path(), {2});
  commit_step(later, 24, 3);
  EXPECT_THAT(checkpoint::committed_steps(run.path()), ElementsAre(24, 16, 8));
  commit_step(later, 32, 3);
  EXPECT_THAT(checkpoint::committed_steps(run.path()), ElementsAre(32, 24));
}

TEST(Store, AStepCommittedAgainReplacesTheBrokenOne) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  for (const int step : {8, 16}) commit_step(store, step, 3);
  flip_bit(run / "checkpoints/step-00000016/shard-0001.safetensors", 3000);
  EXPECT_EQ(checkpoint::newest_whole(run.path())->step, 8);
  commit_step(store, 16, 1);
  const auto found = checkpoint::newest_whole(run.path());
  EXPECT_EQ(found->step, 16);
  EXPECT_TRUE(holds_its_step(*found));
  EXPECT_EQ(std::distance(fs::directory_iterator(found->dir), {}), 2)
      << "the one rank's file and the manifest";
}

TEST(Store, AFlippedBitInAnyFileFallsBackAndSaysWhere) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  for (const int step : {8, 16}) commit_step(store, step, 3);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints/step-00000016")) {
    const std::string path = entry.path(), name = entry.path().filename(), good = read_file(path);
    for (const std::size_t byte : {std::size_t{0}, good.size() / 3, good.size() / 2, good.size() - 1}) {
      flip_bit(path, byte);
      const auto found = checkpoint::newest_whole(run.path());
      ASSERT_TRUE(found);
      EXPECT_EQ(found->step, 8) << name << " byte " << byte;
      ASSERT_EQ(found->passed_over.size(), 1U);
      EXPECT_THAT(found->passed_over[0], AllOf(HasSubstr("step-00000016: "), HasSubstr(name)));
      if (name != "manifest.json") {
        EXPECT_THAT(found->passed_over[0],
                    AllOf(HasSubstr("sha256 is "), HasSubstr("but manifest says "), HasSubstr("(block 0)")));
      }
      write_file(path, good);
    }
    ++files;
  }
  EXPECT_EQ(files, 4);
  EXPECT_EQ(checkpoint::newest_whole(run.path())->step, 16) << "mended again";
}

TEST(Store, EveryBitOfTheManifestCounts) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  commit_step(store, 8, 1);
  const std::string dir = run / "checkpoints/step-00000008", path = dir + "/manifest.json",
                    good = read_file(path);
  ASSERT_GT(good.size(), 1000U);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (std::size_t byte = 0; byte < good.size(); ++byte) {
    const auto put = [&](char c) { file.seekp(static_cast<std::streamoff>(byte)).put(c).flush(); };
    put(static_cast<char>(good[byte] ^ 4));
    EXPECT_THROW(checkpoint::read_manifest(dir), CheckpointError) << "byte " << byte;
    put(good[byte]);
  }
  EXPECT_NO_THROW(checkpoint::read_manifest(dir));
}

// A rank of generation 1 that everybody takes for dead wakes up while generation 2 commits the same step.
TEST(Store, ALateWriterOfADeadGenerationCannotTouchTheCommit) {
  const TemporaryFolder run;
  CheckpointStore dead(run.path(), {2}), alive(run.path(), {2});
  dead.set_generation(1);
  alive.set_generation(2);
  commit_step(alive, 8, 3);
  write_all(dead, 16, 2);  // half of it before ...
  const auto votes = write_all(alive, 16, 3);
  const State other(99);
  const auto late = dead.write_shard(16, other.tensors(), 0, 1);  // ... and half of it while they vote
  EXPECT_EQ(late.error, "");
  alive.commit(16, votes, {{"stage", "pretrain"}, {"lanes", 8}, {"lr", 0.1}});
  dead.write_shard(16, other.tensors(), 0, 1);
  const auto found = checkpoint::newest_whole(run.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 16);
  EXPECT_TRUE(holds_its_step(*found));
  EXPECT_TRUE(fs::exists(run / "checkpoints/.tmp-step-00000016-g0001"))
      << "what the dead one wrote is its own";
  alive.sweep();
  EXPECT_FALSE(fs::exists(run / "checkpoints/.tmp-step-00000016-g0001"));
}

TEST(Store, ALatestThatCannotBeWrittenDoesNotStopRetention) {
  const TemporaryFolder run;
  fs::create_directories(run / "LATEST/in the way");
  CheckpointStore store(run.path(), {2});
  for (const std::int64_t step : {8, 16, 24, 32, 40}) commit_step(store, step, 1);
  EXPECT_EQ(checkpoint::committed_steps(run.path()), (std::vector<std::int64_t>{40, 32}));
}

TEST(Store, AFileInPlaceOfTheFolderIsToldAtTheStart) {
  const TemporaryFolder run;
  write_file(run / "checkpoints", "");
  CheckpointStore store(run.path(), {2});
  EXPECT_THROW(store.sweep(), CheckpointError);
}

TEST(Store, AFencedPublisherGivesNothingItsFinalName) {
  for (int allowed = 0; allowed < 3;
       ++allowed) {  // the first look is before the final name, the second before COMMIT
    const TemporaryFolder run;
    CheckpointStore store(run.path(), {2});
    checkpoint::Ledger ledger(run.path());
    ledger.append({{"kind", "START"}});
    int looks = 0;
    store.set_fence([&] {
      if (looks++ == allowed) throw CommError("this generation is over");
    });
    const auto votes = write_all(store, 8, 2);
    const auto commit = [&] { store.commit(8, votes, {{"stage", "pretrain"}}, &ledger); };
    if (allowed < 2)
      EXPECT_THROW(commit(), CommError);
    else
      EXPECT_NO_THROW(commit());
    EXPECT_EQ(fs::exists(run / "checkpoints/step-00000008"), allowed >= 1);
    EXPECT_EQ(checkpoint::read_ledger(run.path()).records.size(), allowed < 2 ? 1U : 2U);
  }
}

TEST(Store, AFolderNamedForAnotherStepIsBroken) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  for (const int step : {8, 16}) commit_step(store, step, 2);
  fs::rename(run / "checkpoints/step-00000016", run / "checkpoints/step-00000024");
  const auto found = checkpoint::newest_whole(run.path());
  EXPECT_EQ(found->step, 8);
  EXPECT_THAT(found->passed_over,
              ElementsAre(HasSubstr("is of step 16, but its folder is named for another one")));
}

TEST(Store, NamesTheBlockOfALargeFile) {
  const TemporaryFolder run;
  const std::vector<std::byte> big(std::size_t{15} << 20);
  CheckpointStore store(run.path(), {2});
  store.commit(1, {store.write_shard(1, {{"w", checkpoint::DType::kU8, {15 << 20}, big.data()}}, 0, 1)}, {});
  const std::string dir = run / "checkpoints/step-00000001";
  flip_bit(dir + "/shard-0000.safetensors", (std::size_t{12} << 20) + 77);
  EXPECT_THAT(said([&] { checkpoint::open_checkpoint(dir); }), HasSubstr("(block 3)"));
}

TEST(Store, TruncatedMissingAndForeignFilesFallBack) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  for (const int step : {8, 16}) commit_step(store, step, 3);
  const std::string dir = run / "checkpoints/step-00000016/", shard = dir + "shard-0002.safetensors",
                    good = read_file(shard);
  write_file(shard, good.substr(0, good.size() - 1));
  EXPECT_THAT(checkpoint::newest_whole(run.path())->passed_over,
              ElementsAre(AllOf(HasSubstr("shard-0002.safetensors: has"), HasSubstr("but manifest says"))));
  fs::remove(shard);
  EXPECT_THAT(checkpoint::newest_whole(run.path())->passed_over,
              ElementsAre(HasSubstr("shard-0002.safetensors: No such file")));
  write_file(shard, good);
  EXPECT_EQ(checkpoint::newest_whole(run.path())->step, 16);
  fs::remove(dir + "manifest.json");
  EXPECT_THAT(checkpoint::newest_whole(run.path())->passed_over, ElementsAre(HasSubstr("never committed")));
  EXPECT_EQ(checkpoint::newest_whole(run.path())->step, 8);
}

TEST(Store, AFailedVoteCommitsNothingAndNamesTheRank) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  commit_step(store, 8, 3);
  auto votes = write_all(store, 16, 3);
  votes[2].error = "No space left on device writing x";
  EXPECT_THAT(said([&] { store.commit(16, votes, {}); }),
              AllOf(HasSubstr("step 16 was not committed: rank 2: No space left on device writing x"),
                    HasSubstr("step-00000008")));
  EXPECT_EQ(checkpoint::newest_whole(run.path())->step, 8);
  EXPECT_FALSE(fs::exists(run / "checkpoints/.tmp-step-00000016-g0000"));
}

TEST(Store, ShardsOfADeadGenerationOfMoreRanksDoNotStay) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  write_all(store, 8, 4);
  commit_step(store, 8, 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints/step-00000008"), {}), 3);
}

TEST(Store, OpenSaysWhatItLookedFor) {
  const TemporaryFolder run;
  EXPECT_THAT(said([&] { checkpoint::open_checkpoint(run / "no"); }),
              HasSubstr("no such run or checkpoint folder"));
  EXPECT_THAT(said([&] { checkpoint::open_checkpoint(run.path()); }),
              HasSubstr("/checkpoints/step-*/manifest.json and found none"));
  CheckpointStore store(run.path(), {3});
  commit_step(store, 8, 1);
  flip_bit(run / "checkpoints/step-00000008/shard-0000.safetensors", 2000);
  EXPECT_THAT(said([&] { checkpoint::open_checkpoint(run.path()); }),
              AllOf(HasSubstr("only broken ones"), HasSubstr("sha256")));
}

TEST(Reader, RefusesAnotherSizeAndAnUnknownName) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  commit_step(store, 8, 2);
  const CheckpointReader reader(run / "checkpoints/step-00000008");
  std::byte out[8];
  EXPECT_THAT(said([&] { reader.read("head.layers.0.weight", out, 8); }),
              AllOf(HasSubstr("head.layers.0.weight"), HasSubstr("32768")));
  EXPECT_THAT(said([&] { reader.read("tail", out, 8); }), HasSubstr("no tensor \"tail\""));
}

struct Ran {
  int code = 0;
  std::string out;
};
Ran verify(const std::vector<std::string>& args) {
  ::testing::internal::CaptureStdout();
  try {
    const int code = coordinator::verify_command(args);
    return {code, ::testing::internal::GetCapturedStdout()};
  } catch (...) {
    ::testing::internal::GetCapturedStdout();
    throw;
  }
}

TEST(Verify, TellsWhatAResumeTakesAndWhyNotTheOthers) {
  const TemporaryFolder run;
  CheckpointStore store(run.path(), {3});
  for (const int step : {8, 16}) commit_step(store, step, 3);
  Ran ran = verify({run.path()});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("step-00000016  whole   7 tensors in 3 files"),
                             HasSubstr("a resume takes step 16, the newest")));
  const auto digest =
      checkpoint::weights_digest(CheckpointReader(run / "checkpoints/step-00000016").tensors());
  EXPECT_EQ(verify({"--digest", run.path()}).out, digest + "  step-00000016\n");

  flip_bit(run / "checkpoints/step-00000016/shard-0001.safetensors", 100);
  fs::create_directory(run / "checkpoints/.tmp-step-00000024-g0000");
  ran = verify({run.path()});
  EXPECT_EQ(ran.code, 73);
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("step-00000016  BROKEN  shard-0001.safetensors: sha256 is"),
                    HasSubstr("step-00000008  whole"), HasSubstr(".tmp-step-00000024-g0000  never committed"),
                    HasSubstr("a resume takes step 8")));
  const auto json = nlohmann::json::parse(verify({run.path(), "--json"}).out);
  EXPECT_EQ(json["resume_takes"], 8);
  EXPECT_EQ(json["checkpoints"][0]["whole"], false);
  EXPECT_THAT(verify({"--digest", run.path()}).out, HasSubstr("  step-00000008\n"));

  fs::remove_all(run / "checkpoints/step-00000008");
  EXPECT_EQ(verify({run.path()}).code, 73);
  EXPECT_THROW(verify({"--digest", run.path()}), CheckpointError);
  EXPECT_THROW(verify({}), ConfigError);
  EXPECT_THROW(verify({run.path(), "--digets"}), ConfigError);
}

}  // namespace
}  // namespace entrain::tests
