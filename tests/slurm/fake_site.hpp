#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {

/// A cluster of stand-ins (tests/slurm/fake): `low` and `high` of two nodes, answers as Slurm 22.05 gives them.
class FakeSite {
 public:
  FakeSite() {
    std::filesystem::create_directory(folder_ / "site");
    std::filesystem::create_directory(folder_ / "bin");
    for (const auto& entry : std::filesystem::directory_iterator(ENTRAIN_SOURCE_DIR "/tests/slurm/fake"))
      std::filesystem::create_symlink(entry.path(), folder_ / ("bin/" + entry.path().filename().string()));
    lay("scontrol.config.out",
        "JobRequeue              = 1\nKillWait                = 30 sec\nMaxArraySize            = 1001\n"
        "PreemptMode             = REQUEUE\nSLURM_VERSION           = 22.05.8\n");
    lay("scontrol.partition.out",
        partition("low", "Default=YES MaxTime=2-00:00:00") + partition("high", "Default=NO"));
    lay("srun.mpi.out", "MPI plugin types are...\n\tpmix\n\tnone\n");
    lay("squeue.format.out", "");
  }
  static std::string partition(const std::string& name, const std::string& more,
                               const std::string& state = "UP") {
    return "PartitionName=" + name + " " + more + " MaxNodes=UNLIMITED PreemptMode=REQUEUE State=" + state +
           " TotalCPUs=8 TotalNodes=2\n";
  }
  /// $FAKE/NAME, see tests/slurm/fake/play.
  void lay(const std::string& name, const std::string& text) const { write_file(site() + '/' + name, text); }
  void take(const std::string& program) const { std::filesystem::remove(folder_ / ("bin/" + program)); }
  /// Each call of a stand-in, in order: "scontrol requeue 12".
  std::vector<std::string> calls() const {
    std::vector<std::string> out;
    std::ifstream file(site() + "/calls");
    for (std::string line; std::getline(file, line);) out.push_back(line);
    return out;
  }
  std::vector<std::string> calls(const std::string& begin) const {
    std::vector<std::string> out;
    for (const auto& line : calls())
      if (line.starts_with(begin)) out.push_back(line);
    return out;
  }
  std::string site() const { return folder_ / "site"; }
  std::string bin() const { return folder_ / "bin"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  /// What a shell needs to see this site and no other.
  std::string environment() const {
    return "export FAKE='" + site() + "' PATH='" + bin() + "':\"$PATH\"; unset ${!SLURM_@} ${!SBATCH_@}; ";
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace entrain::tests
