// What `entrain doctor` says of machines that are fit, and of some that are not.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "coordinator/doctor/finding.hpp"
#include "tests/slurm/fake_site.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using doctor::Finding;
using doctor::Findings;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

long bad(const Findings& findings) {
  return std::count_if(findings.begin(), findings.end(),
                       [](const Finding& f) { return f.grade == Finding::Grade::kBad; });
}

TEST(Doctor, AFolderOfOnesOwnIsFitAndNothingIsLeftInIt) {
  const TemporaryFolder folder;
  const Findings findings = doctor::look_at_disk(folder.path());
  EXPECT_EQ(bad(findings), 0);
  for (const char* text : {"GB free", "with fsync", "flock works", "rename", "agrees with the file system's"})
    EXPECT_THAT(findings, Contains(Field(&Finding::what, HasSubstr(text))));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Doctor, FoldersThatCannotBeUsedAreBadWithAFix) {
  for (const char* folder : {"/no/such/folder", "/proc"}) {
    const Findings findings = doctor::look_at_disk(folder);
    ASSERT_EQ(bad(findings), 1) << folder;
    EXPECT_FALSE(findings.back().fix.empty());
  }
}

TEST(Doctor, AWorkerThatDoesNotStartIsBad) {
  EXPECT_EQ(bad(doctor::look_at_libraries("/no/such/entrain-worker")), 1);
  EXPECT_EQ(bad(doctor::look_at_libraries("/bin/false")), 1);
  EXPECT_EQ(bad(doctor::look_at_launcher("/bin/false")), 1);
}

TEST(Doctor, WithoutMpirunTheLauncherIsBad) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const Findings findings = doctor::look_at_launcher("/bin/true");
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].what, HasSubstr("mpirun is not on PATH"));
}

// What is said of a Slurm of stand-ins.
Findings slurm_of(const FakeSite& site) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (site.bin() + ":" + path).c_str(), 1);
  ::setenv("FAKE", site.site().c_str(), 1);
  const Findings findings = doctor::look_at_slurm();
  ::setenv("PATH", path.c_str(), 1);
  return findings;
}

TEST(Doctor, AShortKillWaitIsToMind) {
  const FakeSite site;
  const Findings usual = slurm_of(site);
  EXPECT_THAT(usual.back().what, HasSubstr("KillWait 30 s, "));
  EXPECT_EQ(usual.back().grade, Finding::Grade::kFine);
  site.lay(
      "scontrol.config.out",
      "JobRequeue              = 1\nKillWait                = 5 sec\nSLURM_VERSION           = 22.05.8\n");
  const Findings brief = slurm_of(site);
  EXPECT_THAT(brief.back().what, HasSubstr("KillWait 5 s, "));
  EXPECT_EQ(brief.back().grade, Finding::Grade::kMind);
  EXPECT_THAT(brief.back().fix, AllOf(HasSubstr("a run has 5 s to commit"), HasSubstr("KillWait=30")));
}

TEST(Doctor, ASlurmThatIsInstalledAndNoMoreIsOneClearFinding) {
  const FakeSite site;
  site.lay("scontrol.config.out", "");
  site.lay("scontrol.config.code", "1");
  const auto what = [&](const std::string& error) {
    site.lay("scontrol.config.err", error);
    const Findings findings = slurm_of(site);
    EXPECT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].grade, Finding::Grade::kMind);
    EXPECT_FALSE(findings[0].fix.empty());
    return findings[0].what;
  };
  EXPECT_EQ(
      what("scontrol: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n"
           "scontrol: error: fetch_config: DNS SRV lookup failed\n"
           "scontrol: error: _establish_config_source: failed to fetch config\n"
           "scontrol: fatal: Could not establish a configuration source\n"),
      "does not answer: its programs are here, but no configuration for them (slurm.conf, or SLURM_CONF)");
  EXPECT_EQ(what("slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)\n"),
            "does not answer: its controller (slurmctld) cannot be reached");
  EXPECT_EQ(what("other words\n"), "does not answer: scontrol: other words");
}

TEST(Doctor, TheCommandStartsTwoRanksAndAnswersPeopleAndMachines) {
  const TemporaryFolder folder;
  const Ran people = run("entrain doctor " + folder.path());
  EXPECT_EQ(people.code, 0) << people.output;
  EXPECT_THAT(people.output, AllOf(HasSubstr("2 ranks reduce"), HasSubstr("the sum is right"),
                                   HasSubstr("gpu        "), HasSubstr("libtorch 2."), HasSubstr("hdf5 1.")));
  const auto json =
      nlohmann::json::parse(run("entrain doctor --json " + folder.path() + " 2>/dev/null").output);
  EXPECT_GT(json.size(), 10U);
  EXPECT_TRUE(json[0].contains("grade"));
  EXPECT_EQ(run("entrain doctor /no/such/folder").code, 69);
  EXPECT_EQ(run("entrain doctor a b").code, 64);
}

TEST(Preflight, RanksThatComeUpAloneAreNotAWorld) {
  const Ran two = run("mpirun -n 2 entrain-worker preflight");
  EXPECT_EQ(two.code, 0) << two.output;
  EXPECT_THAT(two.output, HasSubstr("\"world\":2"));
  const Ran alone =
      run("OMPI_COMM_WORLD_SIZE=2 entrain-worker preflight");  // as a foreign launcher would start it
  EXPECT_NE(alone.code, 0) << alone.output;
}

}  // namespace
}  // namespace entrain::tests
