// What `entrain run` refuses before anything is launched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tests::Ran;

// Outside a job srun is refused next, so nothing is ever launched here.
Ran run_demo(const tests::TemporaryFolder& folder, const std::string& words, const std::string& before = "") {
  return tests::run("unset ${!SLURM_@}; " + before +
                    "entrain run " ENTRAIN_SOURCE_DIR "/configs/demo.yaml data.files=none.h5 run.dir=" +
                    (folder / "r") + " slurm.launcher=srun " + words);
}

TEST(RunCommand, MoreMinimalRanksThanItStartsIs64) {
  const tests::TemporaryFolder folder;
  const Ran two = run_demo(folder, "-n 2 fault.min_ranks=5");
  EXPECT_EQ(two.code, 64);
  EXPECT_THAT(two.output, HasSubstr("command line: fault.min_ranks: want at most 2, the ranks that this run "
                                    "begins with (-n 2 on 1 node), got 5; lower it, or start more ranks"));
  EXPECT_FALSE(std::filesystem::exists(folder / "r"));
  EXPECT_THAT(run_demo(folder, "fault.min_ranks=2").output, HasSubstr("want at most 1, the ranks"));
  const Ran enough = run_demo(folder, "-n 2 fault.min_ranks=2");
  EXPECT_EQ(enough.code, 78);
  EXPECT_THAT(enough.output, Not(HasSubstr("min_ranks")));
}

TEST(RunCommand, InAJobItsNodesCountToo) {
  const tests::TemporaryFolder folder;
  const std::string job = "export SLURM_JOB_ID=1 SLURM_JOB_NODELIST=a,b; ";
  const Ran ran = run_demo(folder, "-n 4 slurm.ranks_per_node=1 fault.min_ranks=3", job);
  EXPECT_EQ(ran.code, 64) << ran.output;
  EXPECT_THAT(ran.output,
              HasSubstr("want at most 2, the ranks that this run begins with (-n 4 on 2 nodes), got 3"));
  EXPECT_FALSE(std::filesystem::exists(folder / "r"));
}

}  // namespace
}  // namespace entrain::coordinator
