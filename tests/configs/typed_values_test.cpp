// Values that are read by a function of their own: what is refused names the key and where it stands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/error.hpp"
#include "configs/reader.hpp"

namespace entrain {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& word) {
  try {
    read_run_config("", {word});
  } catch (const ConfigError& e) {
    return e.what();
  }
  ADD_FAILURE() << "accepted: " << word;
  return "";
}

TEST(TypedValues, AnEmptyTimeIsRefusedByItsKey) {
  for (const std::string key :
       {"fault.suspect", "fault.dead", "fault.setup", "fault.step", "fault.commit", "slurm.signal_lead"})
    for (const std::string value : {"", "x", "3"})
      EXPECT_THAT(refusal(key + '=' + value),
                  StartsWith("command line: " + key + ": want a time above 0 such as 120s"));
  EXPECT_EQ(read_run_config("", {"fault.step=auto", "slurm.signal_lead=auto"}).config.fault.step, "auto");
  EXPECT_THAT(refusal("fault.setup=auto"), HasSubstr("fault.setup: want a time"));
}

TEST(TypedValues, MemoryIsWhatSlurmReads) {
  for (const std::string good : {"", "0", "7000", "7000M", "64G", "64g", "1T", "64GB", "64GiB", "512k"})
    EXPECT_EQ(read_run_config("", {"slurm.memory=" + good}).config.slurm.memory, good);
  for (const std::string bad : {"x", "64.5G", "-1", "64 G", "G", "64X", "64GG", "1e3", "64G\n"})
    EXPECT_THAT(refusal("slurm.memory=" + bad),
                StartsWith("command line: slurm.memory: want memory per node as a whole number with K, M, G "
                           "or T, such as 64G, got \"" +
                           bad + '"'));
}

}  // namespace
}  // namespace entrain
