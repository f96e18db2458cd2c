// What a cluster says of itself, and what that means to a job.
#include "slurm/site_findings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace entrain::slurm {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = Finding::Kind;

constexpr const char* kConfig =
    "JobRequeue              = 1\nKillWait                = 30 sec\nMaxArraySize            = 1001\n"
    "PreemptMode             = REQUEUE\nPreemptType             = preempt/partition_prio\nSLURM_VERSION      "
    "     = 22.05.8\n";
constexpr const char* kPartitions =
    "PartitionName=low AllowGroups=ALL Default=YES DefaultTime=NONE GraceTime=8 MaxNodes=4 "
    "MaxTime=1-00:00:00 PreemptMode=REQUEUE State=UP TotalNodes=6\n"
    "PartitionName=gone AllowGroups=ALL Default=NO DefaultTime=NONE MaxNodes=UNLIMITED MaxTime=UNLIMITED "
    "PreemptMode=CANCEL State=DOWN TotalNodes=6\n";

Site usual() {
  Site site = parse_site(kConfig, kPartitions);
  site.mpi = "MPI plugin types are...\n\tpmix\n";
  return site;
}

std::vector<Finding> findings(const Site& site, const SlurmSection& s, const RunTimes& times = {},
                              std::int64_t lead = 240, std::size_t rows = 0) {
  return site_findings(site, s, times, lead, rows);
}

auto finding(Kind kind, const std::string& text) {
  return AllOf(Field(&Finding::kind, kind), Field(&Finding::text, HasSubstr(text)));
}
auto error(ExitCode code, const std::string& text) {
  return AllOf(finding(Kind::kError, text), Field(&Finding::code, code));
}

TEST(Site, IsReadFromScontrol) {
  const Site site = usual();
  EXPECT_EQ(site.version, "22.05.8");
  EXPECT_EQ(site.job_requeue, true);
  EXPECT_EQ(site.kill_wait, 30);
  EXPECT_EQ(site.max_array, 1001);
  ASSERT_EQ(site.partitions.size(), 2U);
  EXPECT_TRUE(site.partitions[0].is_default);
  EXPECT_EQ(site.partitions[0].max_seconds, 86400);
  EXPECT_EQ(site.partitions[0].max_nodes, 4);
  EXPECT_EQ(site.partitions[1].max_seconds, std::nullopt);
  EXPECT_EQ(site.partitions[1].max_nodes, std::nullopt);
  EXPECT_EQ(parse_site("", "").job_requeue, std::nullopt);
}

TEST(Site, IsReadFromSinfo) {
  const auto partitions = parse_sinfo("low*|up|1-00:00:00|2\nhigh|down|infinite|3\n");
  ASSERT_EQ(partitions.size(), 2U);
  EXPECT_EQ(partitions[0].name, "low");
  EXPECT_TRUE(partitions[0].is_default);
  EXPECT_EQ(partitions[0].state, "UP");
  EXPECT_EQ(partitions[0].max_seconds, 86400);
  EXPECT_EQ(partitions[1].state, "DOWN");
  EXPECT_EQ(partitions[1].total_nodes, 3);
}

TEST(SiteFindings, AJobThatFitsIsGood) {
  const auto all = findings(usual(), {});
  EXPECT_THAT(all, Each(Field(&Finding::kind, Kind::kGood)));
  EXPECT_THAT(all, Contains(finding(Kind::kGood, "partition low: up, 6 nodes, at most 1-00:00:00")));
  EXPECT_THAT(all, Contains(finding(Kind::kGood, "requeue: allowed")));
}

TEST(SiteFindings, PartitionsThatCannotDoItSayWhatToSet) {
  SlurmSection s;
  s.partition = "lwo";
  EXPECT_THAT(
      findings(usual(), s),
      Contains(error(
          ExitCode::kPreflight,
          "partition lwo: this cluster has none of that name; did you mean low? there are: low, gone")));
  s.partition = "gone";
  EXPECT_THAT(findings(usual(), s), Contains(error(ExitCode::kPreflight, "partition gone: is DOWN")));
  s.partition = "low,nope";
  EXPECT_THAT(findings(usual(), s), Contains(error(ExitCode::kPreflight, "partition nope")));
  s = {};
  s.time = "25h";
  EXPECT_THAT(
      findings(usual(), s),
      Contains(error(ExitCode::kPreflight,
                     "gives at most 1-00:00:00, slurm.time asks for 1-01:00:00; set slurm.time=1-00:00:00")));
  s = {};
  s.nodes = 4;
  EXPECT_THAT(findings(usual(), s), Each(Not(Field(&Finding::kind, Kind::kError))));
  s.spares = 1;
  EXPECT_THAT(
      findings(usual(), s),
      Contains(error(ExitCode::kPreflight, "gives at most 4 nodes, slurm.nodes and slurm.spares ask for 5")));
  Site none = usual();
  none.partitions[0].is_default = false;
  EXPECT_THAT(
      findings(none, {}),
      Contains(error(ExitCode::kPreflight, "no default one; set slurm.partition to one of: low, gone")));
}

TEST(SiteFindings, RequeuesThatMayFailAreWarnedOf) {
  Site site = usual();
  site.job_requeue = false;
  EXPECT_THAT(findings(site, {}), Contains(finding(Kind::kWarning, "JobRequeue=0")));
  site.has_scontrol = false;
  EXPECT_THAT(findings(site, {}), Contains(finding(Kind::kWarning, "there is no scontrol here")));
  SlurmSection chain;
  chain.chain = "singleton";
  EXPECT_THAT(findings(site, chain), Each(Field(&Finding::kind, Kind::kGood))) << "needs no requeue";
  site = usual();
  site.partitions[0].preempt_mode = "CANCEL";
  EXPECT_THAT(findings(site, {}), Contains(finding(Kind::kWarning, "PreemptMode=CANCEL")));
  site.partitions[0].preempt_mode = "";
  site.preempt_mode = "GANG,CANCEL";
  EXPECT_THAT(findings(site, {}), Contains(finding(Kind::kWarning, "PreemptMode=CANCEL")))
      << "that of the cluster";
}

TEST(SiteFindings, TimesThatDoNotFitEachOther) {
  SlurmSection s;
  s.time = "5m";
  EXPECT_THAT(findings(usual(), s, {}, 300),
              Contains(error(ExitCode::kConfig,
                             "slurm.signal_lead: the warning comes 5m00s before the end of a job of 5m00s")));
  EXPECT_THAT(findings(usual(), s, {}, 299), Each(Field(&Finding::kind, Kind::kGood)));
  EXPECT_THAT(findings(usual(), {}, {1.0, 45.0}),
              Contains(finding(Kind::kWarning,
                               "KillWait: Slurm kills 30s after a scancel or a preemption without grace, and "
                               "a commit of this run takes 45s")));
  EXPECT_THAT(findings(usual(), {}, {1.0, 29.0}), Each(Field(&Finding::kind, Kind::kGood)));
}

TEST(SiteFindings, ArraysAndLaunchers) {
  EXPECT_THAT(findings(usual(), {}, {}, 240, 1001), Each(Field(&Finding::kind, Kind::kGood)));
  EXPECT_THAT(findings(usual(), {}, {}, 240, 1002),
              Contains(error(ExitCode::kPreflight,
                             "indices up to 1000 (MaxArraySize), this needs 1001; split the sweep")));
  SlurmSection s;
  s.launcher = "srun";
  EXPECT_THAT(findings(usual(), s), Each(Field(&Finding::kind, Kind::kGood)));
  Site site = usual();
  site.mpi = "MPI plugin types are...\n\tpmi2\n";
  EXPECT_THAT(findings(site, s), Contains(error(ExitCode::kPreflight, "set slurm.launcher=mpirun")));
}

TEST(SiteFindings, ASilentControllerIsOneErrorAndNoGuess) {
  Site site;
  site.silent = "scontrol: did not answer within 10 s";
  SlurmSection s;
  s.partition = "low";
  const auto all = findings(site, s);
  EXPECT_THAT(all, Contains(error(ExitCode::kPreflight,
                                  "Slurm does not answer: scontrol: did not answer within 10 s")));
  EXPECT_THAT(all, Each(Field(&Finding::text, Not(HasSubstr("partition")))));
}

}  // namespace
}  // namespace entrain::slurm
