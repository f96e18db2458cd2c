#pragma once
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {

/// Job 12 on n1, n2 and n3: as long as it lives this process is in that job, with stand-ins for srun, sinfo and squeue on
/// PATH. What srun runs is a piece of bash for each kind of step; there `answer` says what a healthy look says, $list and
/// $ranks are those of the step, $LAB and $RUN the folders of the cluster and of the run, $SUPERVISOR is this process.
class FakeCluster {
 public:
  FakeCluster() : path_(std::getenv("PATH")) {
    for (const char* name : {"bin", "run"}) std::filesystem::create_directory(folder_ / name);
    const std::string head = "#!/bin/bash\nLAB='" + folder_.path() + "' RUN='" + run_dir() +
                             "' SUPERVISOR=" + std::to_string(::getpid()) + "\n";
    program("srun", head + kSrun);
    program("mpirun", head + kSrun);
    program("sinfo", head +
                         "for n in n1 n2 n3; do echo \"$n $([ -e $LAB/down-$n ] && echo down* || echo "
                         "mixed)\"; done\n");
    program("squeue", head + "cat $LAB/squeue\n");
    squeue_says("RUNNING 10:00 N/A");
    look("answer");
    ranks("exit 0");
    ::setenv("PATH", (folder_ / "bin:" + path_).c_str(), 1);
    in_job(true);
  }
  ~FakeCluster() {
    ::setenv("PATH", path_.c_str(), 1);
    in_job(false);
  }
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  static void in_job(bool in) {
    if (in)
      ::setenv("SLURM_JOB_ID", "12", 1);
    else
      ::unsetenv("SLURM_JOB_ID");
  }
  void look(const std::string& bash) const { write_file(folder_ / "look", bash + '\n'); }
  void ranks(const std::string& bash) const { write_file(folder_ / "ranks", bash + '\n'); }
  void squeue_says(const std::string& line) const { write_file(folder_ / "squeue", line + '\n'); }
  std::string run_dir() const { return folder_ / "run"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  /// The texts of the run's events of one kind, one a line.
  std::string events(const std::string& kind) const {
    std::string all;
    std::istringstream lines(read_file(run_dir() + "/events.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line, nullptr, false);
      if (json.is_object() && json.value("kind", "") == kind) all += json.value("text", "") + '\n';
    }
    return all;
  }
  long looks() const {
    const std::string calls = read_file(folder_ / "calls");
    std::istringstream lines(calls);
    long count = 0;
    for (std::string line; std::getline(lines, line);) count += line.find(" preflight ") != line.npos;
    return count;
  }

 private:
  static constexpr const char* kSrun = R"sh(
echo " $* " >> $LAB/calls
for word in "$@"; do case $word in
  --nodelist=*) list=${word#*=} ;;
  --ntasks=*) ranks=${word#*=} ;;
esac; done
answer() {
  local node comma=
  printf '{"world":%d,"megabytes":8,"seconds":0.01,"nodes":[' "$ranks"
  for node in ${list//,/ }; do printf '%s{"host":"%s","write_seconds":0.01}' "$comma" "$node"; comma=,; done
  echo ']}'
}
case " $* " in
  *" true ") [ ! -e $LAB/dead-$list ]; exit ;;
  *" preflight "*) . $LAB/look ;;
  *) . $LAB/ranks ;;
esac
)sh";

  void program(const std::string& name, const std::string& text) const {
    write_file(folder_ / ("bin/" + name), text);
    ::chmod((folder_ / ("bin/" + name)).c_str(), 0755);
  }

  std::string path_;
  TemporaryFolder folder_;
};

}  // namespace entrain::tests
